//! Asking the edge host by HTTP, from an address of nobody at home.

use crate::harness::TestLab;

/// As the internet has them.
pub(super) const FOREIGN: &str = "203.0.113.9";

/// Who is asked.
pub(super) struct Asked<'a> {
    lab: &'a TestLab,
    address: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// 0 where there was none.
    pub(super) status: u16,
    pub(super) body: String,
    /// Where it leads on.
    pub(super) location: String,
}

impl<'a> Asked<'a> {
    /// The edge host, `w1`.
    pub(super) fn of(lab: &'a TestLab) -> Self {
        let address = lab.lab().host("w1").unwrap().address.to_string();
        Self { lab, address }
    }

    /// The edge host's address.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// `http://NAME/PATH`, with more headers.
    pub(super) fn http(&self, name: &str, path: &str, headers: &[&str]) -> Answer {
        let resolve = format!("{name}:80:{}", self.address);
        let mut words = vec!["--resolve", &resolve];
        words.extend(headers.iter().flat_map(|header| ["--header", header]));
        self.curl(&words, &format!("http://{name}{path}"))
    }

    /// `https://NAME/`, where the certificate must be of the authority in that file.
    pub(super) fn https(&self, name: &str, authority: &str) -> Answer {
        let resolve = format!("{name}:443:{}", self.address);
        self.curl(&["--resolve", &resolve, "--cacert", authority], &format!("https://{name}/"))
    }

    fn curl(&self, words: &[&str], url: &str) -> Answer {
        let written = "\n%{http_code} %{redirect_url}";
        let curl =
            ["--", "curl", "--silent", "--max-time", "10", "--interface", FOREIGN, "--write-out", written];
        let said = self.lab.lab_command(&["run"], &[&curl[..], words, &[url]].concat()).stdout;
        let (body, last) = said.trim_end_matches('\n').rsplit_once('\n').unwrap_or_default();
        let (status, location) = last.split_once(' ').unwrap_or((last, ""));
        let body = format!("{body}\n");
        Answer { status: status.parse().unwrap_or(0), body, location: location.trim().to_owned() }
    }
}
