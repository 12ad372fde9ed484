//! `invocation`: what a module was asked, as results show it at `-vvv`.

use convoy_agent::args::{Arg, Param, ParamKind, Staged};
use convoy_agent::modules;
use convoy_protocol::message::Order;
use convoy_protocol::{Map, Value, map};

use crate::text::json::REDACTED;

/// Returns the arguments of an order under their own names, defaults filled in, secrets left out.
pub(super) fn invocation(order: &Order) -> Value {
    let mut args = Map::new();
    let module = modules::find(&order.module);
    if let Some(text) = order.args.get("_raw_params") {
        args.insert("_raw_params".into(), shown(text, false));
    }
    for param in module.iter().flat_map(|module| module.spec.params) {
        let given = std::iter::once(&param.name).chain(param.aliases);
        let given = given.filter_map(|name| order.args.get(*name)).find(|value| !value.is_null());
        let value = match (given, param.default) {
            (Some(value), _) => shown(&named(param, value), param.no_log),
            (None, Some(default)) => converted(param.kind, &default.into()),
            (None, None) => Value::null(),
        };
        args.insert(param.name.into(), value);
    }
    map! { "module_args" => args }.into()
}

/// Returns an argument as the module reads it; of a file that was sent, its name.
fn named(param: &Param, value: &Value) -> Value {
    let name = value.get("name").filter(|_| param.staged != Staged::No);
    name.cloned().unwrap_or_else(|| converted(param.kind, value))
}

fn converted(kind: ParamKind, value: &Value) -> Value {
    let made = match kind {
        ParamKind::Bool => bool::convert(value).map(Value::from),
        ParamKind::Int => i64::convert(value).map(Value::from),
        ParamKind::Float => f64::convert(value).map(Value::from),
        ParamKind::Str | ParamKind::Path => String::convert(value).map(Value::from),
        ParamKind::List => Vec::<Value>::convert(value).map(Value::from),
        ParamKind::Mode | ParamKind::Dict | ParamKind::Raw => Ok(value.clone()),
    };
    // What is no such value is told by the module.
    made.map_or_else(|_| value.clone(), |made| made.tainted(value.taint))
}

fn shown(value: &Value, never: bool) -> Value {
    if never || value.deep_taint().is_secret() { REDACTED.into() } else { value.clone() }
}

#[cfg(test)]
mod tests {
    use convoy_protocol::Taint;

    use super::*;

    fn args(module: &str, args: Map) -> Map {
        let order = Order::new(module, args);
        invocation(&order).get("module_args").and_then(Value::as_map).cloned().unwrap_or_default()
    }

    #[test]
    fn arguments_are_shown_as_they_are_read() {
        let found = args("stat", map! { "dest" => "/a", "follow" => "yes" });
        assert_eq!((&found["path"], &found["follow"]), (&"/a".into(), &true.into()));
        assert_eq!(
            (&found["get_checksum"], found["checksum_algorithm"].as_str()),
            (&true.into(), Some("sha1"))
        );
        let found = args("command", map! { "_raw_params" => "ls", "creates" => "/x" });
        assert_eq!((&found["_raw_params"], &found["chdir"]), (&"ls".into(), &Value::null()));
        let src = map! { "digest" => "0", "name" => "app.conf" };
        assert_eq!(args("copy", map! { "src" => src, "dest" => "/a" })["src"], "app.conf".into());
    }

    #[test]
    fn what_is_never_shown_is_left_out() {
        let found = args("user", map! { "name" => "ann", "password" => "$6$x" });
        assert_eq!((&found["name"], &found["password"]), (&"ann".into(), &REDACTED.into()));
        assert_eq!(args("copy", map! { "content" => "x", "dest" => "/a" })["content"], REDACTED.into());
        assert_eq!(args("debconf", map! { "name" => "x", "answer" => "y" })["value"], REDACTED.into());
        let found = args("keystore", map! { "path" => "/k", "storepass" => "x", "keypass" => "y" });
        assert_eq!((&found["password"], &found["key_password"]), (&REDACTED.into(), &REDACTED.into()));
        assert_eq!(args("user", map! { "ssh_key_passphrase" => "x" })["ssh_key_passphrase"], REDACTED.into());
        let secret = Value::from("hunter2").tainted(Taint::SECRET);
        let line = Value::from(vec![secret.clone()]);
        let found = args("command", map! { "_raw_params" => secret, "argv" => line, "chdir" => "/" });
        assert_eq!((&found["_raw_params"], &found["argv"]), (&REDACTED.into(), &REDACTED.into()));
        assert_eq!(found["chdir"], "/".into());
        assert_eq!(args("user", map! { "name" => "ann" })["password"], Value::null());
    }
}
