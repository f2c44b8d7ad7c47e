//! Which packages that came with us others have come to need. Pure.

use std::collections::BTreeMap;

use super::Status;

/// Of the packages `ours` those that must stay, each with the one that needs it: a dependency of a package of others (or of
/// one that stays) that nothing else satisfies.
pub(super) fn needed(status: &Status, ours: &[&str]) -> BTreeMap<String, String> {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let stays = |name: &str| !ours.contains(&name) || kept.contains_key(name);
        let is_met = |alternatives: &[String]| {
            status.packages.iter().any(|(name, package)| {
                stays(name) && status.has(name) && package.is.iter().any(|one| alternatives.contains(one))
            })
        };
        let mut found = None;
        'all: for (name, package) in
            status.packages.iter().filter(|(name, _)| stays(name) && status.has(name))
        {
            for alternatives in package.needs.iter().filter(|alternatives| !is_met(alternatives)) {
                // What is met by nobody is broken already, and not by us.
                let by_ours = status.packages.iter().find(|(other, candidate)| {
                    !stays(other) && candidate.is.iter().any(|one| alternatives.contains(one))
                });
                if let Some((other, _)) = by_ours {
                    found = Some((other.clone(), name.clone()));
                    break 'all;
                }
            }
        }
        match found {
            Some((name, by)) => kept.insert(name, by),
            None => return kept,
        };
    }
}

#[cfg(test)]
mod tests {
    use crate::packages::Status;
    use crate::system::fake::Fake;

    fn needed(packages: &[(&str, &str)], ours: &[&str]) -> Vec<(String, String)> {
        let paragraph = |(name, rest): &(&str, &str)| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: all\n{rest}\n\n")
        };
        let text: Vec<String> = packages.iter().map(paragraph).collect();
        let host = Fake::with(&[("/var/lib/dpkg/status", &text.concat())]);
        super::needed(&Status::read(&host).unwrap().unwrap(), ours).into_iter().collect()
    }

    #[test]
    fn what_a_package_of_others_needs_stays_with_all_that_it_needs_itself() {
        let packages = [
            ("tool", "Depends: library"),
            ("library", "Depends: data"),
            ("data", ""),
            ("program", "Depends: data"),
        ];
        let stay = |name: &str, by: &str| (name.to_owned(), by.to_owned());
        let ours = ["library", "data", "program"];
        assert_eq!(needed(&packages, &ours), [stay("data", "library"), stay("library", "tool")]);
        assert_eq!(needed(&packages[1..], &ours), []);
    }

    #[test]
    fn a_dependency_that_something_else_satisfies_holds_nothing_back() {
        let packages = [
            ("tool", "Depends: ours | theirs, virtual"),
            ("ours", "Provides: virtual"),
            ("theirs", "Provides: virtual"),
        ];
        assert_eq!(needed(&packages, &["ours"]), []);
    }
}
