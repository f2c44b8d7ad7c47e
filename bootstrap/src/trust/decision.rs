//! Which of the offered keys is the host's: nobody but a person, or the fingerprint they gave, decides it.

use std::io::IsTerminal as _;

use super::{Comparison, Offer, Standing, Subject, Verdict};
use crate::output::text::one_line;
use crate::problem::{Exit, Problem};
use crate::ssh::{Answer, OfferedKey, ask, how_to_compare};

impl Subject {
    /// The key to pin; none where it is pinned already. `--yes` has no say in it: it would pin whatever answers.
    pub async fn decide<'a>(
        &self,
        comparison: &'a Comparison,
        fingerprint: Option<&str>,
    ) -> Result<Option<&'a Offer>, Problem> {
        let offer = match fingerprint {
            Some(fingerprint) => Some(comparison.with(fingerprint)?),
            None if comparison.verdict == Verdict::Same => None,
            None => Some(self.choose(comparison).await?),
        };
        let Some(offer) = offer else { return Ok(None) };
        if offer.standing == Standing::Revoked {
            return Err(comparison.refusal("this key is revoked: it is known to be in wrong hands").help(
                "give the host new keys: `rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A` there, then restart its sshd",
            ));
        }
        match comparison.pins.iter().find(|pin| pin.inventory) {
            Some(pin) if offer.standing != Standing::Pinned => {
                let message = "its key is pinned in the inventory, which only you change";
                let help = format!(
                    "only if the host\'s own console shows `{}` too: in {} put `host_key: \"{}\"` in place of `{}`",
                    offer.key.fingerprint,
                    pin.place(),
                    offer.key.fingerprint,
                    pin.fingerprint,
                );
                Err(Problem::new(Exit::NeedsPerson, message).host(&comparison.host).help(help))
            }
            _ if offer.standing == Standing::Pinned && comparison.verdict == Verdict::Same => Ok(None),
            _ => Ok(Some(offer)),
        }
    }

    /// By a person at the terminal.
    async fn choose<'a>(&self, comparison: &'a Comparison) -> Result<&'a Offer, Problem> {
        let good: Vec<_> =
            comparison.offers.iter().filter(|offer| offer.standing != Standing::Revoked).collect();
        let Some(first) = good.first() else { return Ok(&comparison.offers[0]) };
        if comparison.pins.iter().any(|pin| pin.inventory) {
            return Ok(first);
        }
        let nobody = || {
            let message = "whether this is its host key only a person can say, and nobody is there to ask";
            Problem::new(Exit::NeedsPerson, message).host(&comparison.host).help(format!(
                "look at the host\'s own console with `{}`, then give what it shows: `garboard trust {} --fingerprint SHA256:…` \
                 (`--yes` does not answer this)",
                how_to_compare(&first.key.algorithm),
                comparison.host
            ))
        };
        let person = self.person.as_ref().filter(|_| std::io::stderr().is_terminal()).ok_or_else(nobody)?;
        let keys: Vec<OfferedKey> = good.iter().map(|offer| offer.key.clone()).collect();
        let question = format!(
            "\nCompare it with what the host itself says, at its own console:\n\n    {}\n\nIs {} its key? (yes, no, or the \
             fingerprint from there) ",
            how_to_compare(&first.key.algorithm),
            first.key.fingerprint
        );
        match ask(person, &question, &keys).await {
            Ok((Answer::Right, index)) => Ok(good[index]),
            Ok((Answer::Other(given), _)) => Err(comparison.offers_no(&given)),
            Ok((Answer::Wrong, _)) => {
                Err(comparison.refusal("its key was not confirmed; nothing was pinned"))
            }
            Err(_) => Err(nobody()),
        }
    }
}

impl Comparison {
    /// The offered key with this fingerprint.
    fn with(&self, fingerprint: &str) -> Result<&Offer, Problem> {
        let offer = self.offers.iter().find(|offer| offer.key.fingerprint == fingerprint);
        offer.ok_or_else(|| self.offers_no(fingerprint))
    }

    fn offers_no(&self, fingerprint: &str) -> Problem {
        self.refusal(&format!("it offers no key with the fingerprint `{}`; nothing was pinned", one_line(fingerprint)))
            .help("somebody may be in between, or it is another machine at that address; look at the host\'s own console again")
    }

    fn refusal(&self, message: &str) -> Problem {
        Problem::new(Exit::Refused, message).host(&self.host)
    }
}
