//! The Python that the node has, if it has one: convoy needs none, but playbooks ask.

use convoy_protocol::{Map, Value, map};

use crate::system::{Process, SystemView};

/// Prints what is asked for, a line each; started without the user's own modules and settings.
const ASK: &str = "import sys, importlib.util
print(sys.implementation.name, *sys.version_info, bool(importlib.util.find_spec('_ssl')), sep='\\n')";

pub(super) fn collect(view: &SystemView, facts: &mut Map) {
    let Some(program) = view.program("python3") else { return };
    let executable = program.to_string_lossy().into_owned();
    let Ok(output) = view.query(&Process::new([executable.as_str(), "-I", "-S", "-c", ASK])) else { return };
    if output.rc == 0 {
        facts.extend(read(&executable, &output.stdout_text()));
    }
}

fn read(executable: &str, text: &str) -> Map {
    let [kind, major, minor, micro, level, serial, ssl] = text.lines().collect::<Vec<_>>()[..] else {
        return Map::new();
    };
    let whole = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
    let suffix = match level {
        "alpha" => format!("a{serial}"),
        "beta" => format!("b{serial}"),
        "candidate" => format!("rc{serial}"),
        _ => String::new(),
    };
    let version = map! {
        "major" => whole(major), "minor" => whole(minor), "micro" => whole(micro),
        "releaselevel" => level, "serial" => whole(serial),
    };
    let info: Value = version.values().cloned().collect();
    map! {
        "python" => map! {
            "version" => version, "version_info" => info, "executable" => executable,
            "has_sslcontext" => ssl == "True", "type" => kind,
        },
        "python_version" => format!("{major}.{minor}.{micro}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_says_is_read() {
        let facts = read("/usr/bin/python3", "cpython\n3\n13\n0\ncandidate\n2\nTrue\n");
        assert_eq!(facts["python_version"], "3.13.0rc2".into());
        let expected = map! {
            "version" => map! { "major" => 3, "minor" => 13, "micro" => 0, "releaselevel" => "candidate", "serial" => 2 },
            "version_info" => vec![Value::from(3), 13.into(), 0.into(), "candidate".into(), 2.into()],
            "executable" => "/usr/bin/python3", "has_sslcontext" => true, "type" => "cpython",
        };
        assert_eq!(facts["python"], Value::from(expected));
        assert_eq!(read("/usr/bin/python3", "Traceback\n"), Map::new());
    }
}
