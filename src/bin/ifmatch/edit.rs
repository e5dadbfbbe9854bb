//! STUB
use clap::Args;
use crate::failure::Failure;
use crate::server::ServerOptions;
#[derive(Debug, Args)]
pub(crate) struct Arguments { key: String }
pub(crate) async fn run(_: &Arguments, _: &ServerOptions) -> Result<(), Failure> { Ok(()) }
