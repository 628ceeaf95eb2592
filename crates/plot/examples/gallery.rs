//! Every mark, ordinary and hostile, on one page: `cargo run --release -p neuropil-plot --example gallery -- OUT.html`.

use neuropil_core::{Axis, Bar, Claim, Figure, Mark, Panel, Report, Stream, Streams, Table, files};
use neuropil_plot::report_page;
use std::f64::consts::TAU;
use std::path::Path;

fn main() -> neuropil_core::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "gallery.html".into());
    let mut report = Report {
        system: "gallery".into(),
        card: serde_json::json!({
            "number": 0, "slug": "gallery", "wing": "simulate", "title": "A gallery of figures",
            "authors": "Neuropil", "year": 2026, "source": "https://example.org/paper", "summary": "Every mark of the figure data, as the renderer draws it.",
            "claim": "Figures are readable in grey."
        }),
        profile: "quick".into(),
        data: "simulated".into(),
        seed: 1,
        replicates: 3,
        wall_s: 12.3,
        cpu_s: 20.1,
        peak_mem_mb: 310.0,
        manifest: serde_json::json!({"version": "0.1.0", "threads": 2, "inputs": [{"path": "a.npz", "bytes": 123}]}),
        ..Report::default()
    };
    report.claims.push(
        Claim::new("recall", "Recall of stored patterns stays high", "accuracy", 0.9731, Bar::AtLeast(0.95))
            .paper("0.98")
            .interval(0.968, 0.979),
    );
    report.claims.push(
        Claim::new(
            "slope",
            "The exponent of the power law lies where the paper found it",
            "exponent",
            2.61,
            Bar::Within(2.0, 2.5),
        )
        .paper("2.2 (Fig. 3b)"),
    );
    report.claims.push(Claim::new(
        "nan",
        "A value that is not finite fails",
        "ratio",
        f64::NAN,
        Bar::AtMost(1.0),
    ));
    report.speed.push(Claim::new("rate", "Network steps", "steps/s", 1.23456e6, Bar::AtLeast(1e6)));
    for (k, v) in [("n_units", 302.0), ("modularity", 0.41273), ("loss", 1.2345e-7)] {
        report.metrics.insert(k.into(), serde_json::json!(v));
    }
    let mut table = Table::new("layers", "Similarity per layer", &["layer", "RDM correlation", "p"]);
    for k in 0..5 {
        table.row([format!("conv{k}"), format!("{:.3}", 0.2 + 0.1 * f64::from(k)), "< 0.001".into()]);
    }
    report.tables.push(table);
    report.notes.push("The embedded split holds 5,000 images; the paper used 60,000.".into());
    report.artifacts = vec!["activity.safetensors".into(), "weights.csv".into()];
    let mut figures = ordinary(Streams::new(1));
    figures.extend(hostile());
    report.figures = figures.iter().map(|f| f.name.clone()).collect();
    report.figure_data = figures;
    files::write_atomic(Path::new(&out), report_page(&report).as_bytes())
}

fn range(n: usize, low: f64, high: f64) -> Vec<f64> {
    (0..n).map(|i| low + (high - low) * i as f64 / (n.max(2) - 1) as f64).collect()
}

fn one(name: &str, title: &str, caption: &str, panel: Panel) -> Figure {
    Figure::new(name, title, caption, vec![panel])
}

fn ordinary(streams: Streams) -> Vec<Figure> {
    let mut s = streams.stream("gallery", 0);
    let mut figures = vec![learning_curves(&mut s), traces(&mut s), raster(&mut s), raster_large(&mut s)];
    figures.extend([bars(), bars_grouped(), rdm(&mut s), confusion(), weights(&mut s), large_matrix(&mut s)]);
    figures.extend([
        picture(&mut s),
        embedding(&mut s),
        graph(&mut s),
        connectome(&mut s),
        field(),
        power_law(&mut s),
    ]);
    figures.extend([small_multiples(&mut s), many_series(), mixed(&mut s), slices(&mut s)]);
    figures
}

fn learning_curves(s: &mut Stream) -> Figure {
    let x = range(60, 0.0, 590.0);
    let curve = |s: &mut Stream, label: &str, tau: f64, floor: f64, dashed: bool| {
        let y: Vec<f64> =
            x.iter().map(|t| floor + (1.0 - floor) * (-t / tau).exp() + 0.01 * s.normal()).collect();
        let low = y.iter().map(|v| v - 0.04).collect();
        let high = y.iter().map(|v| v + 0.04).collect();
        Mark::Line { label: label.into(), x: x.clone(), y, interval: Some((low, high)), dashed }
    };
    let marks = vec![
        Mark::Band { label: "critical period".into(), from: 80.0, to: 180.0 },
        curve(s, "deep linear", 90.0, 0.12, false),
        curve(s, "shallow", 200.0, 0.25, false),
        curve(s, "control", 400.0, 0.2, true),
        Mark::Level { label: "chance".into(), y: 0.9 },
    ];
    one(
        "learning",
        "Learning curves with intervals",
        "Loss over training for three networks; shading shows the 95 % interval over 10 seeds.",
        Panel::new("", Axis::new("epoch", ""), Axis::new("test loss", "nats"), marks),
    )
}

fn traces(s: &mut Stream) -> Figure {
    let x = range(100_000, 0.0, 1000.0);
    let mut v = -65.0;
    let y = x
        .iter()
        .map(|t| {
            v += 0.01 * (-(v + 62.0) / 2.0) + 0.05 * s.normal();
            if (t % 97.0) < 0.02 { 30.0 } else { v }
        })
        .collect();
    let mut gap: Vec<f64> = x.iter().step_by(50).map(|t| -75.0 + 3.0 * (t / 60.0).sin()).collect();
    gap[800..1100].fill(f64::NAN);
    let marks = vec![
        Mark::line("V_m", x.clone(), y),
        Mark::line("V_ref (gap)", x.into_iter().step_by(50).collect(), gap),
    ];
    one(
        "traces",
        "Membrane potential, 100,000 samples",
        "Peaks survive thinning; missing values leave a gap.",
        Panel::new("", Axis::new("time", "ms"), Axis::new("potential", "mV"), marks),
    )
}

fn events(s: &mut Stream, units: usize, rate: f64, offset: f64, seconds: f64) -> (Vec<f64>, Vec<f64>) {
    let (mut times, mut rows) = (Vec::new(), Vec::new());
    for u in 0..units {
        let mut t = 0.0;
        loop {
            t += s.exponential() / rate;
            if t > seconds {
                break;
            }
            times.push(1000.0 * t);
            rows.push(offset + u as f64);
        }
    }
    (times, rows)
}

fn raster(s: &mut Stream) -> Figure {
    let (times, rows) = events(s, 40, 8.0, 0.0, 1.0);
    let (ti, ri) = events(s, 10, 30.0, 40.0, 1.0);
    let marks = vec![
        Mark::Band { label: "stimulus".into(), from: 300.0, to: 500.0 },
        Mark::Raster { label: "excitatory".into(), times, rows },
        Mark::Raster { label: "inhibitory".into(), times: ti, rows: ri },
    ];
    let panel = Panel::new("", Axis::new("time", "ms"), Axis::new("neuron", ""), marks);
    one("raster", "Spike raster", "One tick per spike.", panel)
}

fn raster_large(s: &mut Stream) -> Figure {
    let (times, rows) = events(s, 1000, 10.0, 0.0, 10.0);
    let n = times.len();
    let marks = vec![Mark::Raster { label: String::new(), times, rows }];
    let panel = Panel::new("", Axis::new("time", "ms"), Axis::new("neuron", ""), marks);
    one(
        "raster_large",
        &format!("Raster of {n} events"),
        "Too many ticks for a path become a picture.",
        panel,
    )
}

fn bars() -> Figure {
    let names = ["ours", "no plasticity", "random weights", "shuffled labels"].map(String::from).to_vec();
    let interval = Some((vec![0.88, 0.66, 0.27, 0.08], vec![0.93, 0.75, 0.38, 0.12]));
    let marks = vec![
        Mark::Bars { label: String::new(), names, values: vec![0.91, 0.7, 0.32, 0.1], interval },
        Mark::Level { label: "chance".into(), y: 0.1 },
        Mark::Level { label: "paper".into(), y: 0.93 },
    ];
    let panel = Panel::new("", Axis::default(), Axis::new("accuracy", ""), marks);
    one("bars", "Accuracy against baselines", "Whiskers: 95 % bootstrap interval.", panel)
}

fn bars_grouped() -> Figure {
    let names: Vec<String> = ["V1 primary visual", "V2 secondary", "V4", "inferotemporal", "prefrontal"]
        .map(String::from)
        .to_vec();
    let group = |label: &str, k: f64| Mark::Bars {
        label: label.into(),
        names: names.clone(),
        values: (0..5).map(|i| 0.3 * k + 0.1 * f64::from(i) - 0.2).collect(),
        interval: None,
    };
    let marks = vec![group("early", 1.0), group("middle", 1.6), group("late", 2.2), group("output", 2.8)];
    let panel = Panel::new("", Axis::new("area", ""), Axis::new("similarity", "r"), marks);
    one("bars_grouped", "Grouped bars", "Series differ by hatch as well as by lightness.", panel)
}

fn rdm(s: &mut Stream) -> Figure {
    let n = 40;
    let group: Vec<f64> = (0..n).map(|i| f64::from(i / 10)).collect();
    let panel = |title: &str, gain: f64, s: &mut Stream| {
        let mut v: Vec<f64> = Vec::new();
        for i in 0..n as usize {
            for j in 0..n as usize {
                let d = (group[i] - group[j]).abs();
                v.push(if i == j { 0.0 } else { gain * d / 3.0 + 0.5 + 0.1 * s.normal() });
            }
        }
        Panel::new(
            title,
            Axis::new("stimulus", ""),
            Axis::new("stimulus", ""),
            vec![Mark::matrix(40, 40, v, "1 − r")],
        )
    };
    let panels = vec![panel("early layer", 0.1, s), panel("late layer", 0.6, s)];
    Figure::new("rdm", "Representational dissimilarity", "Two layers, 40 stimuli in four classes.", panels)
}

fn confusion() -> Figure {
    let names: Vec<String> = ["cat", "dog", "horse", "ship", "truck"].map(String::from).to_vec();
    let values = (0..25)
        .map(|k| if k % 6 == 0 { 80.0 + f64::from(k) / 3.0 } else { f64::from((k * 7) % 11) })
        .collect();
    let mark = Mark::Matrix {
        rows: 5,
        columns: 5,
        values,
        row_names: names.clone(),
        column_names: names,
        label: "share (%)".into(),
        diverging: false,
        limits: Some((0.0, 100.0)),
    };
    one(
        "confusion",
        "Confusion matrix",
        "Small matrices carry their values.",
        Panel::new("", Axis::new("predicted", ""), Axis::new("true", ""), vec![mark]),
    )
}

fn weights(s: &mut Stream) -> Figure {
    let names: Vec<String> = (0..24).map(|i| format!("unit_{i:02}_left")).collect();
    let mut values: Vec<f64> = (0..24 * 24).map(|_| s.normal()).collect();
    for k in 0..24 {
        values[k * 25] = f64::NAN;
    }
    let mark = Mark::Matrix {
        rows: 24,
        columns: 24,
        values,
        row_names: names.clone(),
        column_names: names,
        label: "weight (mV)".into(),
        diverging: true,
        limits: None,
    };
    one(
        "weights",
        "Weights, centred on zero",
        "Missing cells are hatched; a minus marks negative cells.",
        Panel::new("", Axis::new("from", ""), Axis::new("to", ""), vec![mark]),
    )
}

fn large_matrix(s: &mut Stream) -> Figure {
    let n = 512;
    let values = (0..n * n)
        .map(|k| ((k / n) as f64 / 40.0).sin() * ((k % n) as f64 / 55.0).cos() + 0.2 * s.normal())
        .collect();
    let panel = Panel::new(
        "",
        Axis::new("time", "ms").limits(0.0, 2000.0),
        Axis::new("unit", ""),
        vec![Mark::matrix(n, n, values, "ΔF/F")],
    );
    one("matrix_large", "A 512 × 512 matrix", "Embedded as a picture; the axis is in milliseconds.", panel)
}

fn picture(s: &mut Stream) -> Figure {
    let (w, h) = (96, 64);
    let blob = |x: f64, y: f64, cx: f64, cy: f64, r: f64| {
        (-((x - cx).powi(2) + (y - cy).powi(2)) / (2.0 * r * r)).exp()
    };
    let (mut grey, mut rgb, mut overlay) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..h {
        for j in 0..w {
            let (x, y) = (f64::from(j), f64::from(i));
            let (a, b) = (blob(x, y, 30.0, 30.0, 9.0), blob(x, y, 68.0, 36.0, 12.0));
            grey.push((40.0 + 180.0 * (a + b) + 10.0 * s.normal()).clamp(0.0, 255.0) as u8);
            rgb.extend([(255.0 * a) as u8, (200.0 * b) as u8, (2 * i) as u8]);
            overlay.push(if a > 0.5 {
                1
            } else if b > 0.7 {
                3
            } else if b > 0.4 {
                2
            } else {
                0
            });
        }
    }
    let image = |channels, pixels: &[u8], overlay| Mark::Image {
        width: 96,
        height: 64,
        channels,
        pixels: pixels.to_vec(),
        overlay,
    };
    let bare = |title: &str, mark| Panel::new(title, Axis::default(), Axis::default(), vec![mark]);
    let panels = vec![
        bare("image", image(1, &grey, None)),
        bare("labels", image(1, &grey, Some(overlay))),
        bare("colour", image(3, &rgb, None)),
    ];
    Figure::new(
        "picture",
        "Image with outlined labels",
        "Outlines have a dark rim, so they show on any ground.",
        panels,
    )
}

fn embedding(s: &mut Stream) -> Figure {
    let cluster = |label: &str, cx: f64, cy: f64, s: &mut Stream| {
        let x: Vec<f64> = (0..12).map(|_| cx + 0.5 * s.normal()).collect();
        let y = x.iter().map(|_| cy + 0.5 * s.normal()).collect();
        let texts = (0..12).map(|i| format!("{label} {i}")).collect();
        Mark::Points { label: label.into(), x, y, texts }
    };
    let marks =
        vec![cluster("face", 0.0, 0.0, s), cluster("house", 3.0, 1.0, s), cluster("tool", 1.0, 3.0, s)];
    one(
        "embedding",
        "Points with texts",
        "Multidimensional scaling of 36 stimuli.",
        Panel::new("", Axis::new("MDS 1", ""), Axis::new("MDS 2", ""), marks),
    )
}

fn graph(s: &mut Stream) -> Figure {
    let n = 24;
    let nodes: Vec<(f64, f64)> =
        (0..n).map(|i| TAU * f64::from(i) / f64::from(n)).map(|a| (a.cos(), a.sin())).collect();
    let names = (0..n).map(|i| format!("AV{}", (b'A' + i as u8) as char)).collect();
    let groups = (0..n as usize).map(|i| i / 8).collect();
    let edges = (0..60).map(|_| (s.below(24), s.below(24), s.normal())).collect();
    let mark = Mark::Graph { nodes, names, groups, edges };
    one(
        "graph",
        "A small directed graph",
        "Dashed: negative weight. Groups differ by shape and lightness.",
        Panel::new("", Axis::default(), Axis::default(), vec![mark]),
    )
}

fn connectome(s: &mut Stream) -> Figure {
    let nodes: Vec<(f64, f64)> =
        (0..300).map(|i| (f64::from(i % 3) * 4.0 + s.normal(), s.normal() * 1.5)).collect();
    let groups = (0..300).map(|i| i % 3).collect();
    let edges = (0..3000).map(|_| (s.below(300), s.below(300), s.exponential())).collect();
    let mark = Mark::Graph { nodes, names: Vec::new(), groups, edges };
    let panel =
        Panel::new("", Axis::new("anterior-posterior", "mm"), Axis::new("dorsal-ventral", "mm"), vec![mark]);
    one("connectome", "A connectome of 300 units", "Positions have units, so axes are drawn.", panel)
}

fn field() -> Figure {
    let (mut from, mut by) = (Vec::new(), Vec::new());
    for i in 0..15 {
        for j in 0..15 {
            let (x, y) = (-2.0 + 4.0 * f64::from(i) / 14.0, -2.0 + 4.0 * f64::from(j) / 14.0);
            from.push((x, y));
            by.push((0.12 * y, 0.12 * ((1.0 - x * x) * y - x)));
        }
    }
    let (mut x, mut y) = (0.1, 0.1);
    let (mut xs, mut ys) = (Vec::new(), Vec::new());
    for _ in 0..40_000 {
        (x, y) = (x + 0.001 * y, y + 0.001 * ((1.0 - x * x) * y - x));
        xs.push(x);
        ys.push(y);
    }
    let marks = vec![
        Mark::Arrows { from, by },
        Mark::line("trajectory", xs, ys),
        Mark::Text { x: 0.1, y: 0.1, text: "start".into() },
    ];
    one(
        "field",
        "Vector field with a trajectory",
        "Van der Pol oscillator.",
        Panel::new("", Axis::new("x", ""), Axis::new("dx/dt", "1/s"), marks),
    )
}

fn power_law(s: &mut Stream) -> Figure {
    let x: Vec<f64> = (0..400).map(|_| (1.0 - s.uniform()).powf(-1.0 / 1.5)).collect();
    let mut sorted = x;
    sorted.sort_by(f64::total_cmp);
    let ccdf: Vec<f64> = (0..400).map(|i| 1.0 - f64::from(i) / 400.0).collect();
    let fit_x = range(30, 0.0, 2.2).into_iter().map(|v| 10f64.powf(v)).collect::<Vec<_>>();
    let fit = fit_x.iter().map(|v| v.powf(-1.5)).collect();
    let marks = vec![
        Mark::points("data", sorted, ccdf),
        Mark::Line { label: "exponent 2.5".into(), x: fit_x, y: fit, interval: None, dashed: true },
    ];
    one(
        "power_law",
        "Log-log axes",
        "Complementary distribution and its fit.",
        Panel::new("", Axis::new("avalanche size", "spikes").log(), Axis::new("P(S ≥ s)", "").log(), marks),
    )
}

fn small_multiples(s: &mut Stream) -> Figure {
    let panels = (0..12)
        .map(|k| {
            let x = range(100, 0.0, 10.0);
            let y = x.iter().map(|t| (t + f64::from(k) / 2.0).sin() + 0.1 * s.normal()).collect();
            let fit = x.iter().map(|t| (t + f64::from(k) / 2.0).sin()).collect();
            Panel::new(
                &format!("unit {k}"),
                Axis::new("time", "s"),
                Axis::new("rate", "Hz"),
                vec![Mark::line("data", x.clone(), y), Mark::line("model", x, fit)],
            )
        })
        .collect();
    Figure::new("small_multiples", "Small multiples", "Equal labels and legends are written once.", panels)
}

fn many_series() -> Figure {
    let x = range(50, 0.0, 1.0);
    let line = |k: i32| {
        Mark::line(
            &format!("layer {k}"),
            x.clone(),
            x.iter().map(|t| t.powf(0.3 + 0.3 * f64::from(k))).collect(),
        )
    };
    let bundle = |k: i32| {
        Mark::line(
            "",
            x.clone(),
            x.iter()
                .map(|t| (TAU * t + f64::from(k) / 30.0).sin() * (1.0 + f64::from(k % 7) / 10.0))
                .collect(),
        )
    };
    let mut trials: Vec<Mark> = (0..40).map(bundle).collect();
    trials.push(Mark::line("mean", x.clone(), x.iter().map(|t| 1.3 * (TAU * t + 0.65).sin()).collect()));
    let panels = vec![
        Panel::new(
            "10 ordered series",
            Axis::new("dose", ""),
            Axis::new("response", ""),
            (1..=10).map(line).collect(),
        ),
        Panel::new(
            "40 trials and their mean",
            Axis::new("phase", "cycles"),
            Axis::new("signal", "a.u."),
            trials,
        ),
    ];
    Figure::new(
        "many_series",
        "Many series",
        "More than six labelled series take steps of an ordered scale; unlabelled ones are a bundle.",
        panels,
    )
}

fn mixed(s: &mut Stream) -> Figure {
    let (times, rows) = events(s, 30, 12.0, 0.0, 1.0);
    let x = range(200, 0.0, 1000.0);
    let rate = x.iter().map(|t| 12.0 + 4.0 * (t / 100.0).sin()).collect();
    let panels = vec![
        Panel::new(
            "spikes",
            Axis::new("time", "ms"),
            Axis::new("neuron", ""),
            vec![Mark::Raster { label: String::new(), times, rows }],
        ),
        Panel::new(
            "population rate",
            Axis::new("time", "ms"),
            Axis::new("rate", "Hz"),
            vec![Mark::line("", x, rate)],
        ),
        Panel::new(
            "similarity",
            Axis::new("neuron", ""),
            Axis::new("neuron", ""),
            vec![Mark::matrix(30, 30, (0..900).map(|_| s.uniform()).collect(), "r")],
        ),
    ];
    Figure {
        columns: 3,
        ..Figure::new("mixed", "Mixed panels", "Plots of different shape share a row.", panels)
    }
}

fn slices(s: &mut Stream) -> Figure {
    let panels = (0..8)
        .map(|k| {
            let pixels = (0..48 * 48)
                .map(|p| {
                    let (x, y) = (f64::from(p % 48) - 24.0, f64::from(p / 48) - 24.0);
                    let r = x.hypot(y * 1.2);
                    ((if r < 20.0 { 120.0 } else { 10.0 })
                        + 60.0 * (r / 4.0 + f64::from(k)).sin()
                        + 8.0 * s.normal())
                    .clamp(0.0, 255.0) as u8
                })
                .collect();
            let overlay = (0..48 * 48)
                .map(|p| {
                    u16::from((f64::from(p % 48) - 20.0).hypot(f64::from(p / 48) - 20.0) < f64::from(k) + 1.0)
                })
                .collect();
            let mark = Mark::Image { width: 48, height: 48, channels: 1, pixels, overlay: Some(overlay) };
            Panel::new(&format!("z = {} mm", 4 * k), Axis::default(), Axis::default(), vec![mark])
        })
        .collect();
    Figure::new("slices", "Slices of a volume", "Eight axial slices with the lesion outlined.", panels)
}

/// What a renderer must survive.
fn hostile() -> Vec<Figure> {
    let nan = f64::NAN;
    let ax = |l: &str| Axis::new(l, "");
    let p = |title: &str, marks| Panel::new(title, ax("x"), ax("y"), marks);
    let panels = vec![
        p("no marks", vec![]),
        p("empty line", vec![Mark::line("a", vec![], vec![])]),
        p("all NaN", vec![Mark::points("a", vec![nan, 1.0], vec![1.0, nan])]),
        p("one point", vec![Mark::points("a", vec![3.0], vec![5.0])]),
        p("constant", vec![Mark::line("", vec![0.0, 1.0, 2.0], vec![7.0; 3])]),
        p(
            "huge values",
            vec![Mark::line("", vec![-1e299, 1e308, 1e299], vec![-1e299, f64::INFINITY, 1e299])],
        ),
        Panel::new(
            "log of zero",
            ax("x").log(),
            ax("y").log(),
            vec![Mark::line("", vec![0.0, -1.0], vec![0.0, 1.0])],
        ),
        p(
            "ragged",
            vec![Mark::Bars {
                label: "b".into(),
                names: vec!["only".into()],
                values: vec![1.0, nan, -2.0],
                interval: Some((vec![0.5], vec![])),
            }],
        ),
        p("matrix of NaN", vec![Mark::matrix(3, 3, vec![nan; 9], "none")]),
        p("short matrix", vec![Mark::matrix(4, 4, vec![1.0, 2.0, 3.0, 4.0, 5.0], "short")]),
        p(
            "graph to nowhere",
            vec![Mark::Graph {
                nodes: vec![(0.0, 0.0), (nan, 1.0), (1.0, 1.0)],
                names: vec![],
                groups: vec![9_999_999_999, 3],
                edges: vec![(0, 2, 1.0), (0, 99, 1.0), (2, 2, -1.0), (0, 1, nan)],
            }],
        ),
        p(
            "image too short",
            vec![Mark::Image {
                width: 10,
                height: 10,
                channels: 3,
                pixels: vec![200; 95],
                overlay: Some(vec![1; 7]),
            }],
        ),
    ];
    let nasty = "</text><script>alert(1)</script> \"quoted\" & 'single' \u{202e}reversed\u{0}\u{1b}[31m";
    let long = "a very long label that says far more than an axis can carry ".repeat(6);
    let texts = vec![
        Mark::Points {
            label: nasty.into(),
            x: vec![0.0, 1.0],
            y: vec![0.0, 1.0],
            texts: vec![nasty.into(), long.clone()],
        },
        Mark::line(&long, vec![0.0, 1.0], vec![1.0, 0.0]),
        Mark::Text { x: 0.5, y: 0.5, text: nasty.into() },
    ];
    vec![
        Figure::new("degenerate", "Degenerate panels", "None of these may break the page.", panels),
        one(
            "hostile_text",
            nasty,
            &long,
            Panel::new(nasty, Axis::new(nasty, "<b>"), Axis::new(&long, "unit"), texts),
        ),
        Figure::new("nothing", "No panels", "", vec![]),
    ]
}
