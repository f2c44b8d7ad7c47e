//! What the tests on lab hosts share.

mod ask;
mod cluster;
mod echo;
mod environment;
mod guest;
mod host;
mod image;
mod invocation;
mod knot;
mod lab;
mod network;
mod observed;
mod phases;
mod reach;
mod sampler;
mod scan;
mod state;
mod terminal;
mod vpn;

pub(crate) use ask::Asked;
pub(crate) use echo::Echo;
pub(crate) use environment::{mirror_folder, product};
pub(crate) use guest::Guest;
pub(crate) use host::{Host, command_line, processes};
pub(crate) use image::BACKEND;
pub(crate) use invocation::{Finished, Running, json_of, lines_of, run};
pub(crate) use knot::{Knot, tsig_secret};
pub(crate) use lab::{EditedInventory, Shape, TestLab};
pub(crate) use network::Network;
pub(crate) use observed::Watch;
pub(crate) use phases::Phases;
pub(crate) use reach::{From, address, answers, serve, until};
pub(crate) use sampler::{Sampler, Samples, files_below};
pub(crate) use scan::{Scan, inside};
pub(crate) use state::{States, assert_same};
pub(crate) use terminal::OnTerminal;
