//! Answers without a file behind them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};

use super::body::AnyBody;

/// An answer in the making.
pub(super) type Answer = Response<AnyBody>;

/// A body of some bytes.
pub(super) fn full(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A short text.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    with(status, "text/plain; charset=utf-8", text.into())
}

/// Text of a given media type.
pub(super) fn with(status: StatusCode, media_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// An error as registries write it.
pub(super) fn registry_error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    with(status, "application/json", body.to_string())
}

/// An error as S3 writes it.
pub(super) fn storage_error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>\n"
    );
    with(status, "application/xml", body)
}

/// What a captive portal says.
pub(super) fn portal() -> Answer {
    let page =
        "<!DOCTYPE html>\n<html><title>Welcome</title><p>Please accept the terms of this network.</html>\n";
    with(StatusCode::OK, "text/html; charset=utf-8", page.to_owned())
}

/// Adds a header. A value that cannot be one is a mistake of ours and shows as a missing header.
pub(super) fn set(answer: &mut Answer, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
