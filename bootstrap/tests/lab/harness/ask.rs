//! Asking for what a name leads to, by HTTP, from where it matters.

use super::TestLab;
use super::reach::From;

/// Who is asked, from where.
pub(crate) struct Asked<'a> {
    lab: &'a TestLab,
    from: From<'a>,
    /// Where every name leads to; what names say themselves where there is none.
    address: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 0 where there was none.
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Where it leads on.
    pub(crate) location: String,
}

impl<'a> Asked<'a> {
    /// That host, whatever the names say.
    pub(crate) fn at(lab: &'a TestLab, from: From<'a>, host: &str) -> Self {
        Self { lab, from, address: Some(lab.lab().host(host).unwrap().address.to_string()) }
    }

    /// Whoever the names lead to: somebody on the internet asks its DNS server.
    pub(crate) fn by_name(lab: &'a TestLab) -> Self {
        Self { lab, from: From::Internet, address: None }
    }

    /// `http://NAME/PATH`, with more headers.
    pub(crate) fn http(&self, name: &str, path: &str, headers: &[&str]) -> Answer {
        self.curl(&with(headers), ("http", name, 80), path)
    }

    /// `https://NAME/PATH`, where the certificate must be of the authority in that file.
    pub(crate) fn https(&self, name: &str, path: &str, authority: &str, headers: &[&str]) -> Answer {
        self.curl(&[&["--cacert", authority][..], &with(headers)].concat(), ("https", name, 443), path)
    }

    fn curl(&self, words: &[&str], (scheme, name, port): (&str, &str, u16), path: &str) -> Answer {
        let url = format!("{scheme}://{name}{path}");
        let mut all = vec!["--max-time", "10", "--write-out", "\n%{http_code} %{redirect_url}"];
        let resolve = self.address.as_ref().map(|address| format!("{name}:{port}:{address}"));
        all.extend(resolve.iter().flat_map(|resolve| ["--resolve", resolve]));
        let said = self.from.curl(self.lab, &[&all[..], words, &[url.as_str()]].concat());
        let (body, last) = said.trim_end_matches('\n').rsplit_once('\n').unwrap_or_default();
        let (status, location) = last.split_once(' ').unwrap_or((last, ""));
        let body = format!("{body}\n");
        Answer { status: status.parse().unwrap_or(0), body, location: location.trim().to_owned() }
    }
}

fn with<'a>(headers: &[&'a str]) -> Vec<&'a str> {
    headers.iter().flat_map(|header| ["--header", header]).collect()
}
