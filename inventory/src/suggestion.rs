//! "Did you mean": the word the user most likely had in mind.

/// The known word nearest to `given`, if one is near enough to be worth naming.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = plain(given);
    let allowed = (given.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&given, &plain(word)), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Case and the choice between `-`, `_` and a space are slips that say nothing about which word was meant.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', ' ', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let known = ["pod_cidr", "service_cidr", "name", "node_ip"];
        assert_eq!(nearest("pod_cdir", known), Some("pod_cidr"));
        assert_eq!(nearest("Pod-CIDR", known), Some("pod_cidr"));
        assert_eq!(nearest("nodeip", known), Some("node_ip"));
        assert_eq!(nearest("colour", known), None);
    }
}
