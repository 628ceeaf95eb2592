//! The topology and geometry of neural representations (B. Lin, N. Kriegeskorte, PNAS 2024, arXiv 2309.11028).
//!
//! Which region of which brain, or which layer of which network, is this? Regions are recognised across subjects by a
//! summary of their representational dissimilarity matrix (RDM). The question is how much geometry the summary needs.
//!
//! With w the dissimilarities of all pairs of stimuli, rank-normalised to [0, 1] (without which a region is recognised
//! by the size of its responses alone), and a, b the quantiles of w at l <= u, the geo-topological matrix is 0 for
//! w < a, (w - a) / (b - a) between, and 1 for w > b. (0, 1) is the rank RDM; l = u keeps only who is a neighbour. The
//! geodesic matrix ranks shortest paths over the short edges. Identification: leave one subject out, average each
//! region's vector over the others, assign every vector held out to the nearest average. (l, u) is chosen on the other
//! subjects only.
//!
//! `manifolds` makes regions of known topology, `networks` trains networks whose layers are the regions, `summary`
//! has the statistics, `experiment` measures accuracies, `resampling` compares them, `files` reads the user's own.
//! Simplified: recorded fMRI is replaced by synthetic regions (quick) and by the layers of small networks (full). Noise
//! is added to the responses, never to the RDMs.

pub mod experiment;
mod figures;
pub mod files;
pub mod manifolds;
pub mod networks;
pub mod resampling;
pub mod summary;
mod user;

use experiment::{Accuracies, Responses, cells, measure};
use manifolds::{Manifold, Population};
use networks::{Networks, Task};
use neuropil_analysis::bootstrap::paired_difference;
use neuropil_analysis::rdm::Dissimilarity;
use neuropil_core::{Bar, Claim, Error, Result, Streams, Table};
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use neuropil_math::statistics::{mean, sd};
use resampling::{Resampled, degrees_of_freedom, resample_in_steps};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use summary::{BINARY, Representations, Statistic, TOPOLOGY};

/// Accuracies nearer to chance than this are at chance: 2 standard errors of 2592 vectors, the size that the experiment
/// was planned at.
const CHANCE_MARGIN: f64 = 0.015;
/// At this probability a difference counts as no difference.
const SIGNIFICANT: f64 = 0.05;

/// Where the regions of an experiment come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Synthetic regions of known topology.
    Manifolds,
    /// Layers of perceptrons that learned digits of 8x8 pixels.
    Digits,
    /// Layers of convolutional networks that learned MNIST.
    Mnist,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Manifolds => "manifolds",
            Self::Digits => "digits",
            Self::Mnist => "mnist",
        }
    }
}

/// The experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trsa {
    /// Where regions come from: any of `manifolds`, `digits` and `mnist`.
    pub sources: Vec<Source>,
    /// Dissimilarity of two response patterns: `euclidean`, `squared_euclidean`, `correlation`, `cosine`, `cityblock`
    /// or `sqrt_counts`.
    #[schemars(with = "String")]
    pub dissimilarity: Dissimilarity,
    /// Intervals of the grid over l and u; 20 gives steps of 0.05 and 231 cells.
    pub grid_steps: usize,
    /// Subjects: synthetic ones, or networks that differ in their seed.
    pub subjects: usize,
    /// Stimuli: points of each synthetic manifold, or images shown to the networks.
    pub stimuli: usize,
    /// Units of each synthetic region.
    pub units: usize,
    /// Strength of each subject's own bend of a manifold, x + bend B tanh(C x).
    pub bend: f64,
    /// Images that a network is trained on, at most.
    pub train_images: usize,
    /// Standard deviations of the noise on the responses: of synthetic ones, whose signal has a variance of about 1 to
    /// 3 per unit, as they are; of networks in units of the layer's own standard deviation.
    pub noise: Vec<f64>,
    /// Independent populations of synthetic subjects and of digit networks; accuracies are means over them.
    pub replicates: u32,
    /// Random orders of the stimuli per population and noise level for the chance level (all of them on the one
    /// population of MNIST networks).
    pub shuffles: u32,
    /// Resamples of subjects and stimuli for the intervals and paired differences of networks and the user's data.
    pub bootstraps: u32,
    /// Of a recording with more samples this many are taken, evenly; without samples and trials its steps are averaged
    /// over this many equal spans.
    pub max_stimuli: usize,
}

impl Default for Trsa {
    fn default() -> Self {
        Self::preset(Profile::Quick)
    }
}

/// One noise level in one population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measured {
    plain: Accuracies,
    /// Accuracies after shuffling the stimuli, per shuffle: the ranked statistics, then the nested choice.
    shuffled: Vec<Vec<f64>>,
}

impl Measured {
    /// All statistics, and the ranked ones with the stimuli in `orders` random orders per subject.
    fn of(
        r: &Representations,
        noise: f64,
        cells: &[(f64, f64)],
        streams: Streams,
        orders: u32,
    ) -> Result<Self> {
        let shuffled = (0..orders)
            .map(|i| {
                // One sequence of orders per noise level, so that levels are independent.
                let mut stream = streams.stream(&format!("shuffle {noise}"), u64::from(i));
                let a = measure(&r.shuffled(&mut stream)?, &Statistic::RANKED, cells)?;
                Ok([a.fixed, vec![a.nested]].concat())
            })
            .collect::<Result<_>>()?;
        Ok(Self { plain: measure(r, &Statistic::all(), cells)?, shuffled })
    }
}

/// All populations at one noise level.
struct Level {
    noise: f64,
    replicates: Vec<Measured>,
    /// Of the first population of networks; empty for manifolds.
    resampled: Resampled,
}

impl Level {
    fn over(&self, f: impl Fn(&Accuracies) -> f64) -> Vec<f64> {
        self.replicates.iter().map(|m| f(&m.plain)).collect()
    }

    fn of(&self, s: Statistic) -> f64 {
        let at = Statistic::all().iter().position(|t| *t == s);
        at.map_or(f64::NAN, |k| mean(&self.over(|a| a.fixed[k])))
    }

    fn nested(&self) -> f64 {
        mean(&self.over(|a| a.nested))
    }
}

/// What one source of regions gave.
struct Measurement {
    source: Source,
    regions: Vec<String>,
    cells: Vec<(f64, f64)>,
    levels: Vec<Level>,
    /// RDMs of the first subject at the highest noise, for a figure: name, rank RDM, topology-sensitive matrix.
    shown: Vec<(String, Vec<f64>, Vec<f64>)>,
}

impl Trsa {
    /// Noise-free responses of one population.
    fn responses(&self, run: &mut Run, source: Source, population: u32) -> Result<Responses> {
        let streams = run.streams().replicate(u64::from(population));
        let networks = |task| Networks {
            task,
            population,
            count: self.subjects,
            stimuli: self.stimuli,
            train_images: self.train_images,
        };
        let task = match source {
            Source::Manifolds => {
                let synthetic = Population {
                    subjects: self.subjects,
                    stimuli: self.stimuli,
                    units: self.units,
                    bend: self.bend,
                };
                return synthetic.draw(streams);
            }
            Source::Digits => Task::Digits,
            Source::Mnist => Task::Mnist,
        };
        let (responses, accuracies) = networks(task).responses(run, streams)?;
        if population == 0 {
            run.metric(&format!("{}_network_accuracy", source.name()), mean(&accuracies));
        }
        Ok(responses)
    }

    /// Populations to average over: one where a network takes long to train.
    fn populations(&self, source: Source) -> u32 {
        if source == Source::Mnist { 1 } else { self.replicates }
    }

    /// Random orders of the stimuli per population.
    fn orders(&self, source: Source) -> u32 {
        self.shuffles.saturating_mul(self.replicates / self.populations(source))
    }

    /// Identifies the regions of one source at every noise level.
    fn identify(&self, run: &mut Run, source: Source) -> Result<()> {
        let cells = cells(self.grid_steps);
        let populations = self.populations(source);
        let mut levels: Vec<Level> = self
            .noise
            .iter()
            .map(|&noise| Level { noise, replicates: Vec::new(), resampled: Resampled::default() })
            .collect();
        let (mut regions, mut shown) = (Vec::new(), Vec::new());
        let orders = self.orders(source);
        let networks = source != Source::Manifolds;
        let resamples = if networks { u64::from(self.bootstraps) } else { 0 };
        let bar = run.progress(source.name(), (u64::from(populations) + resamples) * levels.len() as u64);
        let noisiest = self.noise.iter().copied().fold(0.0, f64::max);
        for k in 0..populations {
            let streams = run.streams().replicate(u64::from(k));
            let responses = self.responses(run, source, k)?;
            for level in &mut levels {
                let name = format!("{}/{k}/{}", source.name(), level.noise);
                let noisy = responses.noisy(level.noise);
                let r = Representations::from_responses(noisy, responses.subjects, self.dissimilarity)?;
                let measured = run.stage(&name, |_| Measured::of(&r, level.noise, &cells, streams, orders))?;
                level.replicates.push(measured);
                bar.inc(1);
                if networks && k == 0 {
                    let compared = [Statistic::Rank, TOPOLOGY, BINARY];
                    let purpose = format!("bootstrap {name}");
                    let count = self.bootstraps as usize;
                    level.resampled =
                        resample_in_steps(run, (&purpose, &bar), &r, &compared, &cells, count)?;
                }
                if k == 0 && level.noise == noisiest {
                    let (rank, topology) = (r.vectors(Statistic::Rank)?, r.vectors(TOPOLOGY)?);
                    let region = |(i, name): (usize, &String)| {
                        (name.clone(), rank.row(i).to_vec(), topology.row(i).to_vec())
                    };
                    shown = responses.regions.iter().enumerate().map(region).collect();
                }
            }
            regions = responses.regions;
        }
        drop(bar);
        let m = Measurement { source, regions, cells, levels, shown };
        self.claims(run, &m)?;
        run.table(accuracy_table(&m));
        self.figures(run, &m)
    }

    fn claims(&self, run: &mut Run, m: &Measurement) -> Result<()> {
        let networks = m.source != Source::Manifolds;
        let id = |name: &str| if networks { format!("{}_{name}", m.source.name()) } else { name.to_string() };
        let of = match m.source {
            Source::Manifolds => "",
            Source::Digits => " (layers of digit perceptrons)",
            Source::Mnist => " (layers of MNIST networks)",
        };
        let levels = &m.levels;
        let populations = self.populations(m.source);
        let gains: Vec<f64> = levels.iter().map(|l| l.nested() - l.of(Statistic::Rank)).collect();
        run.claim(
            Claim::new(
                id("nested_cell"),
                format!("The (l, u) cell chosen on other subjects identifies regions as well as the rank RDM at every noise level{of}"),
                format!("smallest accuracy difference over {} noise levels, mean of {populations} populations", levels.len()),
                gains.iter().copied().fold(f64::INFINITY, f64::min),
                Bar::AtLeast(-0.03),
            )
            .paper("geo-topological summaries keep the identification accuracy of the RDM"),
        );
        let overall = |s: Statistic| mean(&levels.iter().map(|l| l.of(s)).collect::<Vec<_>>());
        let rank = overall(Statistic::Rank);
        for (name, s, text) in [
            ("topology_keeps", TOPOLOGY, "The topology-sensitive cell keeps the accuracy of the rank RDM"),
            ("binarised_keeps", BINARY, "Even the binarised RDM keeps the accuracy of the rank RDM"),
        ] {
            run.claim(
                Claim::new(
                    id(name),
                    format!("{text} although it discards most of the geometry{of}"),
                    "accuracy over that of the rank RDM, mean of noise levels",
                    overall(s) / rank,
                    Bar::AtLeast(if networks { 0.85 } else { 0.9 }),
                )
                .paper("statistically indistinguishable from the RDM"),
            );
        }
        let chance = 1.0 / m.regions.len() as f64;
        let orders: Vec<&Vec<f64>> =
            levels.iter().flat_map(|l| &l.replicates).flat_map(|r| &r.shuffled).collect();
        let all: Vec<f64> = orders.iter().map(|s| mean(s)).collect();
        let vectors = all.len() * self.subjects * m.regions.len();
        let se = (chance * (1.0 - chance) / vectors as f64).sqrt();
        run.metric(&id("shuffled_accuracy"), mean(&all));
        run.metric(&id("shuffled_sd"), sd(&all));
        run.metric(&id("shuffled_standard_errors"), (mean(&all) - chance) / se);
        // Not a test at 2 standard errors, which a true statement fails in 1 run of 20: the distance itself, measured
        // to a third of the margin.
        run.claim(Claim::new(
            id("shuffled_chance"),
            format!("With each subject's stimuli in an order of their own, identification is at chance{of}"),
            format!("distance of the mean accuracy of {vectors} vectors from {chance:.3}"),
            (mean(&all) - chance).abs(),
            Bar::AtMost(CHANCE_MARGIN),
        ));
        if gains.iter().any(|g| *g < 0.0) {
            run.note(format!(
                "Where the chosen (l, u) falls short of the rank RDM{of}: it is the best of {} cells on only {} vectors of \
                 the other subjects, and where noise or the ceiling makes cells alike the best one is best by chance.",
                m.cells.len(),
                (self.subjects - 1) * m.regions.len()
            ));
        }
        if networks { self.network_claims(run, m, &gains) } else { Ok(()) }
    }

    fn network_claims(&self, run: &mut Run, m: &Measurement, gains: &[f64]) -> Result<()> {
        let name = m.source.name();
        let (Some(first), Some(&gain)) = (m.levels.first(), gains.first()) else { return Ok(()) };
        let (text, bar) = match m.source {
            Source::Digits => ("A cell chosen on other networks identifies layers better than the rank RDM", 0.03),
            _ => ("A cell chosen on other networks is no worse than the rank RDM near the ceiling", -0.03),
        };
        run.claim(Claim::new(
            format!("{name}_gain"),
            format!("{text}, without noise"),
            format!(
                "accuracy of the nested choice minus that of the rank RDM at noise {}, mean of {} populations",
                first.noise,
                first.replicates.len()
            ),
            gain,
            Bar::AtLeast(bar),
        ));
        let df = degrees_of_freedom(self.subjects, self.stimuli);
        let mut table = Table::new(
            format!("{name}_paired"),
            format!("Accuracy minus that of the rank RDM over the same resamples ({name})"),
            &["noise", "statistic", "mean difference", "bootstrap SD", "p"],
        );
        let mut kept = 0;
        for level in &m.levels {
            let b = &level.resampled;
            for (s, values) in [("topology sensitive", &b.fixed[1]), ("binarised", &b.fixed[2]), ("(l, u) chosen", &b.nested)]
            {
                let d = paired_difference(values, &b.fixed[0], df)?;
                if s == "topology sensitive" && (d.mean >= 0.0 || d.p > SIGNIFICANT) {
                    kept += 1;
                }
                table.row([
                    level.noise.to_string(),
                    s.to_string(),
                    format!("{:+.3}", d.mean),
                    format!("{:.3}", d.sd),
                    format!("{:.3}", d.p),
                ]);
            }
        }
        run.table(table);
        let share = |n: usize| n as f64 / m.levels.len() as f64;
        run.claim(
            Claim::new(
                format!("{name}_topology_not_worse"),
                "The topology-sensitive cell is not significantly worse than the rank RDM",
                format!("share of {} noise levels with p > {SIGNIFICANT} in {} paired resamples", m.levels.len(), self.bootstraps),
                share(kept),
                Bar::AtLeast(0.8),
            )
            .paper("statistically indistinguishable from the RDM"),
        );
        run.claim(Claim::new(
            format!("{name}_nested_levels"),
            "The cell chosen on other networks reaches the rank RDM at nearly every noise level",
            format!("share of {} noise levels at which its accuracy is at least that of the rank RDM", m.levels.len()),
            share(gains.iter().filter(|g| **g >= 0.0).count()),
            Bar::AtLeast(0.8),
        ));
        let pairs = (0..first.replicates[0].plain.pairs.len())
            .map(|k| mean(&first.over(|a| a.pairs[k])))
            .fold(f64::INFINITY, f64::min);
        run.claim(Claim::new(
            format!("{name}_layer_pairs"),
            "Every pair of layers is told apart above chance without noise",
            "smallest accuracy over pairs of layers, rank RDM, chance 0.5",
            pairs,
            Bar::AtLeast(0.55),
        ));
        let raw = mean(&m.levels.iter().map(|l| l.of(Statistic::Raw)).collect::<Vec<_>>());
        run.metric(&format!("{name}_raw_rdm"), raw);
        run.note(format!(
            "An RDM that was not rank-normalised identifies {:.0} % of the layers ({name}, mean of noise levels): \
             layers differ in the size of their responses, which says nothing about their geometry.",
            100.0 * raw
        ));
        Ok(())
    }

    fn figures(&self, run: &mut Run, m: &Measurement) -> Result<()> {
        let suffix = if m.source == Source::Manifolds { String::new() } else { format!("_{}", m.source.name()) };
        let curve = |s: Statistic| (s.name(), m.levels.iter().map(|l| (l.noise, l.of(s))).collect());
        let mut curves: Vec<(String, Vec<(f64, f64)>)> =
            vec![("(l, u) chosen on others".into(), m.levels.iter().map(|l| (l.noise, l.nested())).collect())];
        curves.extend([Statistic::Rank, TOPOLOGY, BINARY, Statistic::Cka, Statistic::Raw].into_iter().map(curve));
        let title = match m.source {
            Source::Manifolds => "Little geometry is enough to tell regions apart",
            Source::Digits => "Layers of digit perceptrons, recognised in a network left out",
            Source::Mnist => "Layers of MNIST networks, recognised in a network left out",
        };
        run.figure(figures::accuracy_by_noise(
            &format!("accuracy_by_noise{suffix}"),
            title,
            &curves,
            1.0 / m.regions.len() as f64,
        ));
        let df = degrees_of_freedom(self.subjects, self.stimuli);
        let mut maps = Vec::new();
        for l in &m.levels {
            let accuracy: Vec<f64> = (0..m.cells.len()).map(|k| mean(&l.over(|a| a.cells[k]))).collect();
            let marked = l.resampled.like_the_best(&accuracy, df)?;
            maps.push((format!("noise {}", l.noise), accuracy, marked));
        }
        run.figure(figures::accuracy_map(&format!("accuracy_map{suffix}"), &maps, &m.cells, self.grid_steps));
        let confused = if m.source == Source::Manifolds { m.levels.last() } else { m.levels.first() };
        if let Some(l) = confused {
            let total = |which: usize| {
                (0..m.regions.len() * m.regions.len())
                    .map(|k| l.over(|a| a.confusion[which][k]).iter().sum())
                    .collect::<Vec<f64>>()
            };
            let (rank, nested) = (total(0), total(1));
            run.figure(figures::confusion(
                &format!("confusion{suffix}"),
                &[("rank RDM", &rank), ("(l, u) chosen", &nested)],
                &m.regions,
            ));
        }
        run.figure(figures::matrices(&format!("matrices{suffix}"), &m.shown)?);
        Ok(())
    }
}

fn accuracy_table(m: &Measurement) -> Table {
    let heads: Vec<String> = std::iter::once("statistic".to_string())
        .chain(m.levels.iter().map(|l| format!("noise {}", l.noise)))
        .chain(["separability ratio, least noise".to_string()])
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let mut table = Table::new(
        format!("accuracy_{}", m.source.name()),
        format!("Share of regions recognised in a subject left out ({})", m.source.name()),
        &heads,
    );
    let mut row = vec!["(l, u) chosen on other subjects".to_string()];
    row.extend(m.levels.iter().map(|l| format!("{:.3}", l.nested())));
    row.push(String::new());
    table.row(row);
    for (k, s) in Statistic::all().into_iter().enumerate() {
        let mut row = vec![s.name()];
        row.extend(m.levels.iter().map(|l| format!("{:.3}", l.of(s))));
        row.push(m.levels.first().map_or(String::new(), |l| format!("{:.3}", mean(&l.over(|a| a.separability[k])))));
        table.row(row);
    }
    table
}

impl System for Trsa {
    const CARD: Card = Card {
        number: 9,
        slug: "trsa",
        wing: Wing::Compare,
        title: "The Topology and Geometry of Neural Representations",
        authors: "B. Lin, N. Kriegeskorte",
        year: 2024,
        source: "arXiv 2309.11028",
        summary: "Recognises brain regions and network layers across subjects by the topology of their representations",
        claim: "Summaries that discard much geometry identify regions as well as the full dissimilarity matrix",
        data: DataKind::Simulated,
        tags: &["representation", "RSA", "RDM", "topology", "fMRI", "geodesic"],
        inputs: &[
            Role {
                name: "responses",
                formats: ".npy, .npz, safetensors (arrays or recordings), CSV, NIfTI with masks",
                required: false,
                many: true,
                help: "Responses in arbitrary units: 4 axes (subjects, regions, stimuli, units), 3 (regions, stimuli, \
                       units; the file is the subject) or 2 (stimuli, units) in files named SUBJECT_REGION or arrays \
                       named subject/region. Recordings (units x steps): areas are regions, files subjects, named samples, \
                       trial labels or steps stimuli. Same stimuli in the same order everywhere.",
            },
            Role {
                name: "rdms",
                formats: ".npy, .npz, safetensors, CSV",
                required: false,
                many: true,
                help: "Ready dissimilarity matrices, square (S x S) or condensed (S (S - 1) / 2 values), one per file or \
                       with axes for regions and subjects in front.",
            },
            Role {
                name: "models",
                formats: ".npy, .npz, safetensors, CSV",
                required: false,
                many: true,
                help: "Model RDMs of the same stimuli, square or condensed, to be compared with every region.",
            },
            Role {
                name: "masks",
                formats: "NIfTI",
                required: false,
                many: true,
                help: "Regions for NIfTI responses (one volume a stimulus): voxels above 0, or one region per whole label.",
            },
        ],
        outputs: &[
            "statistics (npz)",
            "accuracy and accuracy map (CSV)",
            "similarity of regions (CSV)",
            "confusion",
            "arrangement of regions and stimuli",
            "components and loops",
            "model comparison with noise ceiling",
        ],
        example: "neuropil run trsa --input responses=responses.npy --input models=model.csv",
    };

    fn preset(profile: Profile) -> Self {
        let quick = Self {
            sources: vec![Source::Manifolds],
            dissimilarity: Dissimilarity::Euclidean,
            grid_steps: 10,
            subjects: 12,
            stimuli: 48,
            units: 100,
            bend: 0.5,
            train_images: 10_000,
            noise: vec![0.0, 0.6, 1.0],
            replicates: 12,
            shuffles: 3,
            bootstraps: 200,
            max_stimuli: 200,
        };
        match profile {
            Profile::Smoke => Self {
                sources: vec![Source::Manifolds, Source::Digits],
                train_images: 300,
                grid_steps: 5,
                subjects: 5,
                stimuli: 24,
                units: 30,
                noise: vec![0.0, 1.0],
                replicates: 1,
                bootstraps: 20,
                ..quick
            },
            Profile::Quick => quick,
            Profile::Full => Self {
                sources: vec![Source::Digits, Source::Mnist],
                grid_steps: 20,
                subjects: 10,
                stimuli: 60,
                noise: vec![0.0, 0.25, 0.5, 1.0, 2.0],
                replicates: 10,
                shuffles: 4,
                ..quick
            },
            Profile::Paper => Self {
                sources: vec![Source::Mnist],
                grid_steps: 20,
                subjects: 24,
                stimuli: 62,
                noise: (0..10).map(|k| f64::from(k) / 10.0).collect(),
                replicates: 1,
                shuffles: 10,
                bootstraps: 1000,
                ..quick
            },
        }
    }

    fn check(&self) -> Result<()> {
        let range = |field: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::config(format!("{low} to {high}"), value.to_string()).at(field))
            }
        };
        range("grid_steps", self.grid_steps, 1, 100)?;
        range("subjects", self.subjects, 4, 1000)?;
        range("stimuli", self.stimuli, 12, 1000)?;
        range("units", self.units, 2, 100_000)?;
        range("replicates", self.replicates as usize, 1, 1000)?;
        range("shuffles", self.shuffles as usize, 1, 1000)?;
        range("bootstraps", self.bootstraps as usize, 2, 100_000)?;
        range("train_images", self.train_images, 100, 60_000)?;
        range("max_stimuli", self.max_stimuli, 4, 5000)?;
        if !(self.bend.is_finite() && self.bend >= 0.0) {
            return Err(Error::config("a bend of at least 0", self.bend.to_string()).at("bend"));
        }
        if self.sources.is_empty() {
            return Err(Error::config("at least 1 source of regions", "none").at("sources"));
        }
        if let Some(s) = (1..self.sources.len()).find(|&k| self.sources[..k].contains(&self.sources[k])) {
            return Err(Error::config("each source once", format!("`{}` twice", self.sources[s].name())).at("sources"));
        }
        if self.noise.is_empty() {
            return Err(Error::config("at least 1 noise level", "none").at("noise"));
        }
        if let Some(n) = self.noise.iter().find(|n| !(n.is_finite() && **n >= 0.0)) {
            return Err(Error::config("a standard deviation of at least 0", n.to_string()).at("noise"));
        }
        Ok(())
    }

    fn estimate(&self) -> Estimate {
        let pairs = 0.5 * (self.stimuli * self.stimuli) as f64;
        let cells = cells(self.grid_steps.min(100)).len() as f64;
        let levels = self.noise.len() as f64;
        let once = |regions: usize| cells * ((self.subjects * regions) as f64).powi(2) * pairs * 1e-10;
        let of = |source: &Source| match source {
            Source::Manifolds => {
                let measures = levels * f64::from(self.populations(*source)) * f64::from(1 + self.orders(*source));
                (measures * once(Manifold::ALL.len()), 200.0)
            }
            Source::Digits | Source::Mnist => {
                let populations = f64::from(self.populations(*source));
                let measures = levels * (populations * f64::from(1 + self.orders(*source)) + f64::from(self.bootstraps));
                let (seconds, mb) = if *source == Source::Mnist { (15.0, 35.0) } else { (0.4, 1.0) };
                let subjects = self.subjects as f64;
                (populations * subjects * seconds + measures * once(5), 200.0 + subjects * mb)
            }
        };
        let all: Vec<(f64, f64)> = self.sources.iter().map(of).collect();
        Estimate {
            wall_s: 1.0 + all.iter().map(|e| e.0).sum::<f64>(),
            mem_mb: all.iter().map(|e| e.1).fold(0.0, f64::max),
        }
    }

    fn replicates(&self) -> u32 {
        self.replicates
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        for &source in &self.sources {
            self.identify(run, source)?;
        }
        Ok(())
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        user::apply(self, inputs, run)
    }

    fn example(dir: &Path) -> Result<()> {
        user::example(dir)
    }
}
