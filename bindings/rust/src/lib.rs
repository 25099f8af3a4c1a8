//! The C interface of Lazuli, declared for Rust. Every function is `unsafe`: it takes handles as they
//! are. The headers in bindings/c/include/mlx/c tell more.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_void};

pub mod fast;
pub mod linalg;
pub mod ops;
pub mod random;

macro_rules! handles {
    ($($name:ident),*) => {$(
        /// Owns what it holds; empty with a null pointer.
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            pub ctx: *mut c_void,
        }
    )*};
}
handles!(mlx_array, mlx_vector_array, mlx_stream);

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum mlx_dtype {
    MLX_BOOL,
    MLX_UINT8,
    MLX_UINT16,
    MLX_UINT32,
    MLX_UINT64,
    MLX_INT8,
    MLX_INT16,
    MLX_INT32,
    MLX_INT64,
    MLX_FLOAT16,
    MLX_FLOAT32,
    MLX_FLOAT64,
    MLX_BFLOAT16,
    MLX_COMPLEX64,
}

macro_rules! options {
    ($($name:ident: $value:ty),*) => {$(
        /// A value that may be left out.
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            pub value: $value,
            pub has_value: bool,
        }
    )*};
}
options!(mlx_optional_int: c_int, mlx_optional_float: f32, mlx_optional_dtype: mlx_dtype);

pub type mlx_error_handler_func = extern "C" fn(msg: *const c_char, data: *mut c_void);

#[link(name = "lazuli_c")]
extern "C" {
    pub fn mlx_set_error_handler(
        handler: Option<mlx_error_handler_func>,
        data: *mut c_void,
        dtor: Option<extern "C" fn(*mut c_void)>,
    );

    pub fn mlx_array_new() -> mlx_array;
    pub fn mlx_array_new_float32(val: f32) -> mlx_array;
    pub fn mlx_array_new_data(
        data: *const c_void,
        shape: *const c_int,
        dim: c_int,
        dtype: mlx_dtype,
    ) -> mlx_array;
    pub fn mlx_array_free(arr: mlx_array) -> c_int;
    pub fn mlx_array_ndim(arr: mlx_array) -> usize;
    pub fn mlx_array_dim(arr: mlx_array, dim: c_int) -> c_int;
    pub fn mlx_array_dtype(arr: mlx_array) -> mlx_dtype;
    pub fn mlx_array_eval(arr: mlx_array) -> c_int;
    pub fn mlx_array_item_float32(res: *mut f32, arr: mlx_array) -> c_int;
    pub fn mlx_array_data_float32(arr: mlx_array) -> *const f32;

    pub fn mlx_stream_new() -> mlx_stream;
    pub fn mlx_stream_free(stream: mlx_stream) -> c_int;
}
