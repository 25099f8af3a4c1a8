//! The declarations call the library.
use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use lazuli_sys::ops::{mlx_cumsum, mlx_exp, mlx_mean_axis, mlx_sum, mlx_sum_axis};
use lazuli_sys::*;

const SHAPE: [i32; 2] = [2, 3];
const NUMBERS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

unsafe fn numbers() -> mlx_array {
    mlx_array_new_data(NUMBERS.as_ptr() as *const c_void, SHAPE.as_ptr(), 2, mlx_dtype::MLX_FLOAT32)
}

unsafe fn item(a: mlx_array) -> f32 {
    let mut value = 0.0;
    assert_eq!(mlx_array_item_float32(&mut value, a), 0);
    value
}

extern "C" fn ignore(_message: *const c_char, _data: *mut c_void) {}

#[test]
fn reductions() {
    unsafe {
        let (a, mut r, s) = (numbers(), mlx_array_new(), mlx_stream_new());
        assert_eq!(mlx_sum(&mut r, a, false, s), 0);
        assert_eq!(item(r), 21.0);
        assert_eq!(mlx_mean_axis(&mut r, a, 1, false, s), 0);
        assert_eq!((mlx_array_ndim(r), mlx_array_dim(r, 0)), (1, 2));
        assert_eq!(mlx_array_eval(r), 0);
        assert_eq!(*mlx_array_data_float32(r).add(1), 5.0);
        mlx_array_free(a);
        mlx_array_free(r);
    }
}

#[test]
fn options() {
    unsafe {
        let (a, mut r, s) = (numbers(), mlx_array_new(), mlx_stream_new());
        let whole = mlx_optional_dtype { value: mlx_dtype::MLX_INT32, has_value: true };
        assert_eq!(mlx_cumsum(&mut r, a, false, true, whole, s), 0);
        assert_eq!(mlx_array_dtype(r), mlx_dtype::MLX_INT32);
        mlx_array_free(a);
        mlx_array_free(r);
    }
}

#[test]
fn errors() {
    unsafe {
        mlx_set_error_handler(Some(ignore), null_mut(), None);
        let (a, mut r, s) = (numbers(), mlx_array_new(), mlx_stream_new());
        assert_eq!(mlx_sum_axis(&mut r, a, 2, false, s), 1);
        assert_eq!(mlx_exp(&mut r, mlx_array { ctx: null_mut() }, s), 1);
        assert!(r.ctx.is_null());
        mlx_array_free(a);
    }
}
