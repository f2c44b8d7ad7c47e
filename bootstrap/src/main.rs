//! The `garboard` command.

fn main() -> std::process::ExitCode {
    garboard::cli::run()
}
