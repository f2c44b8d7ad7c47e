//! The program that works on a host.
//!
//! `connect` joins an SSH channel to the executor; `serve` is the executor, in a transient unit for the length of a run;
//! `pipe` joins the channel to a local TCP port. The executor's [`engine`] works through its queue of [`steps`], each over
//! the [`system`] seam, and notes earlier values in the baseline before it changes anything.

pub mod boot;
pub mod bridge;
pub mod civil_time;
pub mod engine;
pub mod executor;
pub mod facts;
pub mod guard;
pub mod join;
pub mod mesh;
pub(crate) mod packages;
pub mod pipe;
pub mod program;
pub mod reset;
pub mod steps;
pub mod store;
pub mod system;
