//! Communities and power laws against networkx and powerlaw; `reference/make_graph_statistics.py` made the numbers.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its shared parts too")]

use neuropil_analysis::communities::{Graph, louvain_best, modularity};
use neuropil_analysis::power_law::{Values, compare, fit, fit_log_normal};
use neuropil_core::Streams;

fn planted(directed: bool) -> Graph {
    let n = 60;
    let mut edges = Vec::new();
    for i in 0..n {
        for j in 0..n {
            let h = (i * i * 7 + j * j * 13 + i * j * 5 + 3 * i) % 101;
            let dense = i / 15 == j / 15;
            if h < if dense { 40 } else { 6 } && (directed || i <= j) {
                edges.push((i, j, (1 + h % 4) as f64));
            }
        }
    }
    Graph::new(n, directed, edges).unwrap()
}

#[test]
fn modularity_of_given_and_found_partitions() {
    // (resolution, Q of the planted parts, Q of unrelated parts, best Q of 100 networkx Louvain runs)
    let undirected = [
        (1.0, 0.49264278877964585, 0.08644419668601745, 0.4999939296937126),
        (0.5, 0.6190098723414588, 0.18689208411825767, 0.6276641056718918),
        (1.7, 0.3157288717931077, -0.05418284571911884, 0.35991948750427444),
    ];
    let directed = [
        (1.0, 0.49193179020909156, 0.03742173586731673, 0.49193179020909156),
        (0.5, 0.6171838935529554, 0.13740753201434106, 0.6171838935529554),
        (1.7, 0.3165788455276822, -0.10255837873851731, 0.31680694977674073),
    ];
    let parts: Vec<usize> = (0..60).map(|i| i / 15).collect();
    let odd: Vec<usize> = (0..60).map(|i| (i * 3 + i / 7) % 5).collect();
    for (is_directed, rows) in [(false, undirected), (true, directed)] {
        let g = planted(is_directed);
        assert_eq!(g.edges().len(), if is_directed { 530 } else { 287 });
        for (resolution, planted, unrelated, best) in rows {
            // The same sums in another order.
            assert!((modularity(&g, &parts, resolution).unwrap() - planted).abs() < 1e-12);
            assert!((modularity(&g, &odd, resolution).unwrap() - unrelated).abs() < 1e-12);
            let found = louvain_best(&g, resolution, 100, Streams::new(1)).unwrap();
            assert!(found.modularity > best - 1e-9, "{resolution}: {} < {best}", found.modularity);
            assert!((modularity(&g, &found.labels, resolution).unwrap() - found.modularity).abs() < 1e-12);
        }
    }
}

struct Expected {
    x_min: f64,
    alpha: f64,
    sigma: f64,
    distance: f64,
    tail: usize,
    log_ratio: f64,
    normalised: f64,
    p: f64,
}

fn check(text: &str, values: Values, x_min: Option<f64>, e: &Expected, log_normal: Option<(f64, f64)>) {
    let data: Vec<f64> = text.lines().map(|l| l.parse().unwrap()).collect();
    let f = fit(&data, values, x_min).unwrap();
    assert_eq!((f.x_min, f.tail), (e.x_min, e.tail));
    // Their optimiser stops at 1e-4 for counts.
    assert!((f.alpha - e.alpha).abs() < 2e-4, "{f:?}");
    if values == Values::Continuous {
        assert!((f.sigma / e.sigma - 1.0).abs() < 1e-9, "{f:?}");
    }
    assert!((f.distance - e.distance).abs() < 2e-4, "{f:?}");
    let l = fit_log_normal(&data, &f).unwrap();
    if let Some((mu, sigma)) = log_normal {
        // The same optimum by another search: the likelihood is flat around it.
        assert!((l.mu - mu).abs() < 5e-3 && (l.sigma - sigma).abs() < 5e-3, "{l:?}");
        let c = compare(&data, &f, &l).unwrap();
        assert!((c.log_ratio - e.log_ratio).abs() < 2e-3, "{c:?}");
        assert!((c.normalised - e.normalised).abs() < 2e-3, "{c:?}");
        assert!((c.p / e.p - 1.0).abs() < 1e-2, "{c:?}");
    } else {
        // A true power law: the log-normal converges to it, and the ratio to zero from above or below.
        let c = compare(&data, &f, &l).unwrap();
        assert!(c.log_ratio.abs() < 0.05 && c.p > 0.3, "{c:?}");
    }
}

#[test]
fn discrete_tail() {
    let text = include_str!("reference/power_law_discrete.txt");
    let e = Expected {
        x_min: 1.0,
        alpha: 2.0779388705641284,
        sigma: 0.0,
        distance: 0.0468695389210122,
        tail: 850,
        log_ratio: -16.522320670726593,
        normalised: -2.9620454631892095,
        p: 0.003056026564024692,
    };
    check(text, Values::Discrete, Some(1.0), &e, Some((-0.8074874165754609, 1.4104192035678458)));
    let e = Expected {
        x_min: 2.0,
        alpha: 2.3087030636137955,
        sigma: 0.0,
        distance: 0.0843298712622968,
        tail: 351,
        log_ratio: -7.018980630278591,
        normalised: -1.7053869767261836,
        p: 0.08812227561161079,
    };
    check(text, Values::Discrete, Some(2.0), &e, Some((-0.22896180837797991, 1.2460454831789343)));
}

#[test]
fn continuous_tail() {
    let text = include_str!("reference/power_law_continuous.txt");
    let e = Expected {
        x_min: 2.05761,
        alpha: 2.5543594503299114,
        sigma: 0.07124394859795133,
        distance: 0.019404131665039792,
        tail: 476,
        log_ratio: 0.0,
        normalised: 0.0,
        p: 1.0,
    };
    check(text, Values::Continuous, None, &e, None);
}

#[test]
fn log_normal_values() {
    let text = include_str!("reference/power_law_log_normal.txt");
    let e = Expected {
        x_min: 3.858922,
        alpha: 2.9346698833866958,
        sigma: 0.1313339493680364,
        distance: 0.10902986367631778,
        tail: 217,
        log_ratio: -12.983503650620351,
        normalised: -3.1187000735641637,
        p: 0.001816507666898821,
    };
    check(text, Values::Continuous, Some(3.858922), &e, Some((1.45859528204687, 0.5957680217864595)));
    let e = Expected {
        x_min: 2.0,
        alpha: 2.2674080536175314,
        sigma: 0.06442597206823424,
        distance: 0.132417885832308,
        tail: 387,
        log_ratio: -37.21125337679162,
        normalised: -5.1384870031613215,
        p: 2.7695934555425857e-07,
    };
    check(text, Values::Continuous, Some(2.0), &e, Some((1.1368231152283945, 0.7471960127283315)));
}
