//! Descriptive statistics, rank correlations, information, tests and resampling.

mod correlation;
mod descriptive;
mod information;
mod resampling;
mod testing;
mod wilcoxon;

pub use correlation::{kendall_tau_a, kendall_tau_b, pearson, spearman};
pub use descriptive::{
    argsort, mean, mean_and_interval, median, quantile, quantile_of_sorted, quantiles, ranks,
    sample_variance, sd, sem, variance, z_scores,
};
pub use information::{
    entropy, mutual_information, mutual_information_matrix, zero_and_equal_frequency_bins,
};
pub use resampling::{bootstrap_indices, bootstrap_means, percentile_interval, permutation_p};
pub use testing::{
    auroc, benjamini_hochberg, binomial_interval, bonferroni, erf, normal_cdf, normal_quantile, one_sample_t,
    paired_t, student_t_quantile, student_t_two_sided_p, welch_t,
};
pub use wilcoxon::wilcoxon_greater;
