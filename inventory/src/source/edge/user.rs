//! A user of the VPN: a name, or a name and what that user reaches.

use ipnet::Ipv4Net;
use schemars::JsonSchema;

use super::super::field::{Field, given};
use super::super::section::Keys;
use super::list::list;
use super::route::route;
use crate::fault::{Fault, Faults, quote};
use crate::span::{Given, Spanned};
use crate::syntax;
use crate::yaml::Value;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: Spanned<String>,
    /// What of the VPN's routes this user reaches; all of them if left out.
    pub(crate) routes: Given<Vec<Spanned<Ipv4Net>>>,
}

/// How users are written.
#[derive(JsonSchema)]
#[schemars(rename = "VpnUser", untagged)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) enum UserShape {
    /// A name: reaches all that `routes` of the VPN names.
    Name(#[schemars(extend("maxLength" = 63, "pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))] String),
    /// Reaches a part of it.
    Restricted(Restricted),
}

/// A user who reaches less than others.
#[derive(JsonSchema)]
#[schemars(rename = "RestrictedVpnUser", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
pub(crate) struct Restricted {
    /// Lower case letters, digits and `-`.
    #[schemars(extend("maxLength" = 63, "pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    name: String,
    /// Parts of the VPN's `routes`: machines (`192.168.1.5/32`) or networks. All of them if left out.
    #[schemars(default, length(min = 1))]
    routes: Vec<String>,
}

static KEYS: Keys = Keys {
    example: "{ name: bob, routes: [192.168.1.5/32] }",
    known: &["name", "routes"],
    later: &[],
    elsewhere: &[("user", "did you mean `name`?"), ("reach", "did you mean `routes`?")],
};

/// All users; each name once.
pub(super) fn read_all(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Spanned<User>>>> {
    let Value::Sequence(items) = &field.node.value else {
        return field.expected("a list of names", "write it like `users: [alice, bob]`", faults);
    };
    let read: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let path = format!("{}[{index}]", field.path);
            one(&Field { path, key: field.key, node: item.as_ref() }, faults)
        })
        .collect();
    let users: Vec<Spanned<User>> = read.into_iter().collect::<Option<_>>()?;
    for (index, user) in users.iter().enumerate() {
        let name = &user.value.name;
        if let Some(first) = users[..index].iter().find(|earlier| earlier.value.name.value == name.value) {
            faults.push(
                Fault::new(name.span, format!("{} is named twice", quote(&name.value)))
                    .related(first.value.name.span, "first named here")
                    .help("keep one; each device has a name of its own, such as `alice-phone`"),
            );
        }
    }
    Some(Spanned::new(users, field.span()))
}

fn one(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<User>> {
    if !matches!(field.node.value, Value::Mapping(_)) {
        let name = field.parsed(syntax::user_name, faults)?;
        let span = name.span;
        return Some(Spanned::new(User { name, routes: Given::Absent }, span));
    }
    let section = field.section(&KEYS, faults)?;
    let name = section.require("name", "name: bob", faults);
    let name = name.and_then(|field| field.parsed(syntax::user_name, faults));
    let routes = given(section.get("routes"), |field| {
        let routes = list(field, "a list of networks", "routes: [192.168.1.5/32]", route, faults)?;
        if routes.value.is_empty() {
            let message = format!("{} is empty: this user would reach nothing", quote(&field.path));
            let help = "name what this user reaches, or take the user out of `users`";
            faults.push(Fault::new(field.span(), message).help(help));
            return None;
        }
        Some(routes)
    });
    Some(Spanned::new(User { name: name?, routes }, field.span()))
}
