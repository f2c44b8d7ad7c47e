//! `garboard init` as a person and a script meet it: the real program, on a terminal and without one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asked;
mod cards;
mod desk;
mod looked;
mod refused;
