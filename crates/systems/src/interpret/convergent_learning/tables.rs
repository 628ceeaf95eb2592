//! Numbers of every layer as tables.

use super::comparison::Comparison;
use super::experiment::LayerResult;
use super::nulls::Nulls;
use super::resampling::interval;
use neuropil_core::Table;
use neuropil_experiment::Run;
use neuropil_math::statistics::mean;

/// Held-out losses of the paper's mapping layers per layer and decay 0, 1e-5, ..., 1e-1, as recalled from its table.
const PAPER_LOSSES: [[f64; 6]; 4] = [
    [0.170, 0.169, 0.162, 0.172, 0.484, 0.517],
    [0.372, 0.368, 0.337, 0.392, 0.518, 0.514],
    [0.434, 0.427, 0.383, 0.462, 0.497, 0.496],
    [0.478, 0.470, 0.423, 0.477, 0.489, 0.488],
];

/// Tables of all layers and metrics for scripts.
pub(super) fn of(run: &mut Run, layers: &[LayerResult]) {
    let f = |v: f64| if v.is_finite() { format!("{v:.3}") } else { "-".to_string() };
    let mut table = Table::new(
        "matches",
        "Mean correlation of matched units, means of all pairs",
        &["layer", "live units", "one-to-one", "95 %", "semi", "shuffled", "untrained", "itself", "information agrees"],
    );
    for l in layers {
        let (low, high) = interval(&l.resampled(|s| s.matched));
        let live: Vec<usize> = l.members.iter().map(|m| m.live.len()).collect();
        let all: Vec<usize> = l.members.iter().map(|m| m.all).collect();
        let live = if live == all && live.iter().all(|n| *n == live[0]) {
            format!("all {}", live[0])
        } else {
            live.iter().zip(&all).map(|(n, m)| format!("{n}/{m}")).collect::<Vec<_>>().join(", ")
        };
        let null = |g: &dyn Fn(&Nulls) -> f64| l.nulls.as_ref().map_or(f64::NAN, g);
        let agreement = |c: &Comparison| c.information.as_ref().map_or(f64::NAN, |i| i.agreement);
        table.row([
            l.name.clone(),
            live,
            f(l.matched()),
            format!("{low:.3} to {high:.3}"),
            f(l.over_pairs(|c| mean(&c.matching.semi_value))),
            f(null(&|n| mean(&n.shuffled))),
            f(null(&|n| mean(&n.untrained))),
            f(null(&|n| n.itself)),
            f(l.over_pairs(agreement)),
        ]);
        run.metric(&format!("{}_matched", l.name), l.matched());
        run.metric(&format!("{}_found_in_itself", l.name), null(&|n| n.itself));
        run.metric(&format!("{}_lasso_unfinished", l.name), l.over_pairs(|c| c.mapping.unfinished as f64));
    }
    run.table(table);
    let mut table = Table::new(
        "subspaces",
        "Held-out R^2 of maps and agreement of clusters, means of all pairs",
        &["layer", "R^2 dense", "one unit", "few units", "used", "clusters", "random", "CKA", "CCA"],
    );
    for l in layers {
        table.row([
            l.name.clone(),
            f(l.over_pairs(|c| c.mapping.dense())),
            f(l.over_pairs(|c| c.mapping.single)),
            f(l.over_pairs(|c| c.mapping.capped)),
            format!("{:.1}", l.over_pairs(|c| c.mapping.capped_units)),
            f(l.over_pairs(|c| c.clusters.agreement)),
            f(l.over_pairs(|c| c.clusters.random_agreement)),
            f(l.over_pairs(|c| c.cka)),
            f(l.over_pairs(|c| c.cca)),
        ]);
    }
    run.table(table);
    let Some((first, _)) = layers.first().and_then(|l| l.compared.first()) else { return };
    let lambdas: Vec<f64> = first.mapping.sweep.iter().map(|p| p.lambda).collect();
    let mut heads = vec!["layer".to_string(), String::new()];
    heads.extend(lambdas.iter().map(|l| format!("{l:e}")));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut table = Table::new("maps", "Sparse maps by penalty lambda: held-out loss 1 - R^2, weights per target, pairs of which it is the operating point", &heads);
    let papers = lambdas == [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1] && layers.len() == PAPER_LOSSES.len();
    for (l, paper) in layers.iter().zip(PAPER_LOSSES.iter().cycle()) {
        let mut row = |what: &str, values: Vec<String>| {
            table.row([vec![l.name.clone(), what.to_string()], values].concat());
        };
        let at = |k: usize| (l.over_pairs(|c| 1.0 - c.mapping.sweep[k].explained), l.over_pairs(|c| c.mapping.sweep[k].units));
        row("loss", (0..lambdas.len()).map(|k| format!("{:.3}", at(k).0)).collect());
        row("units", (0..lambdas.len()).map(|k| format!("{:.1}", at(k).1)).collect());
        let chosen = |k: usize| l.compared.iter().filter(|(c, _)| c.mapping.chosen == k).count().to_string();
        row("chosen", (0..lambdas.len()).map(chosen).collect());
        if papers {
            row("paper", paper.iter().map(|v| format!("{v:.3}")).collect());
        }
    }
    run.table(table);
}
