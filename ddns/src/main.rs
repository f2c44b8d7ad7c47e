//! The `garboard-ddns` command.

fn main() -> std::process::ExitCode {
    garboard_ddns::cli::run()
}
