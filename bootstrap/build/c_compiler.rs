//! A C compiler for Linux on an architecture, as `ring` needs one: a piece of it is C and assembly, and calls nothing but what
//! every libc has. So what Debian's packages `gcc` and `gcc-aarch64-linux-gnu` bring also serves programs for musl.

use std::process::Command;

/// Its command, if this machine has one. `target` is Rust's name for what is built; who sets `CC_TARGET` has chosen.
pub(crate) fn find(architecture: &str, target: &str) -> Option<String> {
    if let Some(chosen) = chosen(target) {
        return Some(chosen);
    }
    let machine = |libc: &str| format!("{architecture}-linux-{libc}-gcc");
    let candidates = [machine("musl"), machine("gnu"), "gcc".to_owned(), "cc".to_owned()];
    candidates.into_iter().find(|candidate| is_for(candidate, architecture))
}

/// The variables that choose one, as the crate `cc` reads them.
pub(crate) fn variables(target: &str) -> [String; 2] {
    [format!("CC_{target}"), format!("CC_{}", target.replace('-', "_"))]
}

fn chosen(target: &str) -> Option<String> {
    variables(target).into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Whether it is there, and makes programs for Linux on that architecture.
fn is_for(compiler: &str, architecture: &str) -> bool {
    let Ok(asked) = Command::new(compiler).arg("-dumpmachine").output() else { return false };
    let machine = String::from_utf8_lossy(&asked.stdout).into_owned();
    asked.status.success() && machine.starts_with(architecture) && machine.contains("-linux-")
}
