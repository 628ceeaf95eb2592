//! Fused passes over sparse positive activity: rectify and rotate, gate, and the same backwards.

use super::{Real, dispatched};

dispatched! {
    /// Rectifies `x` in place and writes its rotation (see [`rotate`](super::rotate)) to `q`.
    pub fn relu_rotate(x: &mut [T], q: &mut [T], cos: &[T], sin: &[T]) {
        for (((v, o), &c), &s) in x.chunks_exact_mut(2).zip(q.chunks_exact_mut(2)).zip(cos).zip(sin) {
            let a = if v[0] > T::ZERO { v[0] } else { T::ZERO };
            let b = if v[1] > T::ZERO { v[1] } else { T::ZERO };
            v[0] = a;
            v[1] = b;
            o[0] = a * c - b * s;
            o[1] = b * c + a * s;
        }
    }
}

dispatched! {
    /// Backwards through [`relu_rotate`]: `dx` (gradient of the rectified activity) gains the unrotated `dq`, then loses
    /// what the rectifier blocked (`x` is the rectified activity).
    pub fn relu_rotate_backward(dx: &mut [T], dq: &[T], x: &[T], cos: &[T], sin: &[T]) {
        let pairs = dx.chunks_exact_mut(2).zip(dq.chunks_exact(2)).zip(x.chunks_exact(2)).zip(cos).zip(sin);
        for ((((d, g), x), &c), &s) in pairs {
            let a = d[0] + g[0] * c + g[1] * s;
            let b = d[1] + g[1] * c - g[0] * s;
            d[0] = if x[0] > T::ZERO { a } else { T::ZERO };
            d[1] = if x[1] > T::ZERO { b } else { T::ZERO };
        }
    }
}

dispatched! {
    /// Rectifies `y` in place and writes `z = x y`.
    pub fn relu_gate(y: &mut [T], z: &mut [T], x: &[T]) {
        for ((y, z), &x) in y.iter_mut().zip(z).zip(x) {
            let v = if *y > T::ZERO { *y } else { T::ZERO };
            *y = v;
            *z = v * x;
        }
    }
}

dispatched! {
    /// Backwards through [`relu_gate`]: `dz` becomes the gradient before the rectifier of `y`, `dx = dz y`.
    pub fn relu_gate_backward(dz: &mut [T], dx: &mut [T], x: &[T], y: &[T]) {
        for (((g, d), &x), &y) in dz.iter_mut().zip(dx).zip(x).zip(y) {
            *d = *g * y;
            *g = if y > T::ZERO { *g * x } else { T::ZERO };
        }
    }
}

dispatched! {
    /// `out += sum_k x[k] matrix[k, :]` for a row-major matrix [len x, len out].
    pub fn add_rows(out: &mut [T], x: &[T], matrix: &[T]) {
        for (&v, row) in x.iter().zip(matrix.chunks_exact(out.len())) {
            for (o, &m) in out.iter_mut().zip(row) { *o += v * m; }
        }
    }
}

dispatched! {
    /// `out += sum over (index, value) of value matrix[index, :]`: only the rows of active units are touched.
    pub fn add_active_rows(out: &mut [T], active: &[(u32, T)], matrix: &[T]) {
        let d = out.len();
        for &(i, v) in active {
            let row = &matrix[i as usize * d..(i as usize + 1) * d];
            for (o, &m) in out.iter_mut().zip(row) { *o += v * m; }
        }
    }
}

dispatched! {
    /// One Hebbian step on the rows of active units of `rho` [n, d]: `read += q_i rho_i` with the old row, then
    /// `rho_i += q_i x`.
    pub fn read_then_write(read: &mut [T], rho: &mut [T], active: &[(u32, T)], x: &[T]) {
        let d = x.len();
        for &(i, q) in active {
            let row = &mut rho[i as usize * d..(i as usize + 1) * d];
            for ((r, a), &x) in row.iter_mut().zip(read.iter_mut()).zip(x) {
                *a += q * *r;
                *r += q * x;
            }
        }
    }
}

dispatched! {
    /// Keeps the active units of `active` whose gate `relu(matrix_i . x)` is open and multiplies them by it; `matrix` is
    /// [n, len x].
    pub fn gate_active(active: &mut Vec<(u32, T)>, matrix: &[T], x: &[T]) {
        let d = x.len();
        active.retain_mut(|(i, v)| {
            let row = &matrix[*i as usize * d..(*i as usize + 1) * d];
            let mut lanes = [T::ZERO; 16];
            let ((rows, rest), (xs, xr)) = (row.as_chunks::<16>(), x.as_chunks::<16>());
            for (a, b) in rows.iter().zip(xs) {
                for ((l, &u), &w) in lanes.iter_mut().zip(a).zip(b) { *l += u * w; }
            }
            let mut total = T::ZERO;
            for l in lanes { total += l; }
            for (&u, &w) in rest.iter().zip(xr) { total += u * w; }
            *v *= total;
            total > T::ZERO
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{rotate, rotate_back};

    #[test]
    fn fused_passes_equal_their_parts() {
        let mut s = neuropil_core::Streams::new(8).stream("gate", 0);
        let (x0, y0, g) = (s.normals(40), s.normals(40), s.normals(40));
        let angle = s.normals(20);
        let (cos, sin): (Vec<f64>, Vec<f64>) = angle.iter().map(|a| (a.cos(), a.sin())).unzip();
        let (mut x, mut q, mut want) = (x0.clone(), vec![0.0; 40], vec![0.0; 40]);
        relu_rotate(&mut x, &mut q, &cos, &sin);
        let relu: Vec<f64> = x0.iter().map(|v| v.max(0.0)).collect();
        rotate(&mut want, &relu, &cos, &sin);
        assert!(x == relu && q == want);
        let (mut y, mut z) = (y0.clone(), vec![0.0; 40]);
        relu_gate(&mut y, &mut z, &x);
        assert!((0..40).all(|i| z[i] == x[i] * y0[i].max(0.0)));
        let (mut dz, mut dx) = (g.clone(), vec![0.0; 40]);
        relu_gate_backward(&mut dz, &mut dx, &x, &y);
        assert!((0..40).all(|i| dx[i] == g[i] * y[i] && dz[i] == if y[i] > 0.0 { g[i] * x[i] } else { 0.0 }));
        let mut turned = dx.clone();
        rotate_back(&mut turned, &g, &cos, &sin);
        relu_rotate_backward(&mut dx, &g, &x, &cos, &sin);
        // The same sums in another order.
        assert!((0..40).all(|i| if x[i] > 0.0 { (dx[i] - turned[i]).abs() < 1e-14 } else { dx[i] == 0.0 }));
    }

    #[test]
    fn active_rows_equal_dense_products() {
        let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut out = [0.0, 0.0];
        add_active_rows(&mut out, &[(0, 1.0), (2, -1.0)], &matrix);
        assert_eq!(out, [-4.0, -4.0]);
        let mut rho = matrix;
        let mut read = [0.0, 0.0];
        read_then_write(&mut read, &mut rho, &[(1, 2.0)], &[1.0, -1.0]);
        assert_eq!((read, rho), ([6.0, 8.0], [1.0, 2.0, 5.0, 2.0, 5.0, 6.0]));
        let mut active = vec![(0, 3.0), (2, 1.0)];
        gate_active(&mut active, &matrix, &[2.0, -1.0]);
        assert_eq!(active, [(2, 4.0)]);
    }
}
