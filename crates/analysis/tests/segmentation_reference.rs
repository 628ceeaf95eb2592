//! Overlap, surface distances, components and growth against medpy and SciPy; `reference/make_segmentation.py` made the
//! numbers.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its shared parts too")]

use neuropil_analysis::segmentation::{Connectivity, Grid, Overlap, components, dilate, surface_distances};
use neuropil_math::distance_transform::distance;

const SHAPE: [usize; 3] = [11, 13, 9];

fn grid() -> Grid {
    Grid::new(SHAPE, [2.0, 0.8, 1.3]).unwrap()
}

/// A bumpy ball with some far voxels.
fn blob(a: f64, b: f64, c: f64, r: f64, k: usize) -> Vec<bool> {
    let [d, h, w] = SHAPE;
    let mut out = Vec::new();
    for z in 0..d {
        for y in 0..h {
            for x in 0..w {
                let far =
                    ((z as f64 - a) * 1.3).powi(2) + (y as f64 - b).powi(2) + ((x as f64 - c) * 1.1).powi(2);
                let odd = (z * z * 7 + y * y * 13 + x * x * 5 + z * y * 3 + x * y * k) % 101 < 2;
                out.push(far < r * r || odd);
            }
        }
    }
    out
}

/// The same counts, distances and sums in another order.
fn close(got: f64, want: f64) {
    assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{got} {want}");
}

#[test]
fn overlap_and_surface_distances() {
    let first = (blob(5.0, 6.0, 4.0, 3.4, 11), blob(5.5, 7.0, 4.0, 3.9, 17));
    let second = (blob(3.0, 3.0, 3.0, 2.2, 11), blob(8.0, 9.0, 5.0, 2.6, 17));
    // (voxels, Dice, sensitivity, specificity, HD95, HD, ASSD)
    let want = [
        (
            (139, 193),
            0.6445783132530121,
            0.5544041450777202,
            0.9707495429616088,
            2.395611626512594,
            4.842520005121301,
            0.9448552289321543,
        ),
        (
            (60, 74),
            0.13432835820895522,
            0.12162162162162163,
            0.9579554822753503,
            3.383784863137726,
            4.842520005121301,
            1.842482251153591,
        ),
    ];
    for ((p, t), (voxels, dice, sensitivity, specificity, hd95, hd, assd)) in [first, second].iter().zip(want)
    {
        let count = |m: &[bool]| m.iter().filter(|v| **v).count();
        assert_eq!((count(p), count(t)), voxels);
        let o = Overlap::of(p, t).unwrap();
        close(o.dice(), dice);
        close(o.sensitivity(), sensitivity);
        close(o.specificity(), specificity);
        let d = surface_distances(p, t, &grid()).unwrap();
        close(d.hd95(), hd95);
        close(d.quantile(1.0), hd);
        close(d.mean(), assd);
    }
}

#[test]
fn components_growth_and_distances() {
    let first = blob(5.0, 6.0, 4.0, 3.4, 11);
    for (connectivity, n, largest) in [
        (Connectivity::Faces, 29, [111, 1, 1, 1]),
        (Connectivity::Edges, 24, [114, 2, 2, 1]),
        (Connectivity::Corners, 19, [116, 3, 2, 2]),
    ] {
        let (labels, count) = components(&first, &grid(), connectivity).unwrap();
        let mut sizes: Vec<usize> =
            (1..=count as u32).map(|k| labels.iter().filter(|l| **l == k).count()).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!((count, &sizes[..4]), (n, largest.as_slice()));
    }
    let grown = dilate(&first, &grid(), Connectivity::Edges, 2).unwrap();
    assert_eq!(grown.iter().filter(|v| **v).count(), 1130);
    let d = distance(&blob(5.5, 7.0, 4.0, 3.9, 17), SHAPE, grid().voxel_mm).unwrap();
    close(d.iter().sum(), 2843.6139362089207);
    close(d.iter().copied().fold(0.0, f64::max), 6.591661399070799);
    close(d[(10 * 13 + 3) * 9 + 8], 2.7202941017470885);
}
