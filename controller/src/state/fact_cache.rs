//! Facts that outlive a run: a file of JSON for each host, as Ansible's plugin `jsonfile` keeps them.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use convoy_protocol::{Key, Map, Value};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::secrets;
use crate::settings::Settings;
use crate::template::unknown;
use crate::text::json::{self, Style};

/// By what Ansible knows that facts were gathered, not only set.
const GATHERED: &str = "_ansible_facts_gathered";

/// The folder of a cache, and what is in it.
#[derive(Debug)]
pub struct FactCache {
    folder: PathBuf,
    prefix: String,
    /// How long facts count; none: for ever.
    lifetime: Option<Duration>,
    facts: HashMap<Arc<str>, Map>,
}

impl FactCache {
    /// Returns the cache that the settings ask for; none if facts are kept in memory alone.
    ///
    /// # Errors
    /// If there is no folder for it.
    pub fn of(settings: &Settings) -> Result<Option<Self>, Diagnostics> {
        if !is_file(&settings.fact_caching) {
            return Ok(None);
        }
        let Some(folder) = settings.fact_caching_connection.clone() else {
            let what = "error, 'jsonfile' cache plugin requires the 'fact_caching_connection' config option to be set \
                        (to a writeable directory path)";
            return Err(Diagnostic::user(what).into());
        };
        fs::create_dir_all(&folder).map_err(|error| {
            Diagnostic::user(format!("cannot make the folder of cached facts {}: {error}", folder.display()))
        })?;
        let seconds = settings.fact_caching_timeout;
        let lifetime = (seconds > 0).then(|| Duration::from_secs(seconds));
        let prefix = settings.fact_caching_prefix.clone().unwrap_or_default();
        Ok(Some(Self { folder, prefix, lifetime, facts: HashMap::new() }))
    }

    /// Returns what to say of a cache that is none of those here.
    pub fn warning(settings: &Settings) -> Option<String> {
        let name = &settings.fact_caching;
        let known = is_file(name) || matches!(name.as_str(), "memory" | "ansible.builtin.memory");
        (!known).then(|| {
            format!("there is no fact cache `{name}`, only memory and jsonfile: facts are kept for one run")
        })
    }

    /// Returns the facts of a host that still count.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn read(&mut self, host: &Arc<str>) -> Result<Option<Map>, String> {
        let Some(path) = self.path(host) else { return Ok(None) };
        let unread = |why: String| format!("the cached facts in {} count for nothing: {why}", path.display());
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| unread(error.to_string()))?,
        };
        if self.is_old(&path) {
            return Ok(None);
        }
        let value = json::from_str(&text).map_err(|error| unread(format!("it is no JSON: {error}")))?;
        let value = secrets::unmark(value).map_err(unread)?;
        let facts = value.as_map().cloned().ok_or_else(|| unread("it holds no map".to_owned()))?;
        self.facts.insert(host.clone(), facts.clone());
        Ok(Some(without_mark(facts)))
    }

    fn is_old(&self, path: &Path) -> bool {
        let Some(lifetime) = self.lifetime else { return false };
        let written = fs::metadata(path).and_then(|meta| meta.modified());
        // A file of the future is not old.
        written.is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age > lifetime))
    }

    /// Adds facts of a host, and writes all that are known of it; secrets and what is not known stay out.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn add(&mut self, host: &Arc<str>, facts: &Map) -> Result<(), String> {
        let Some(path) = self.path(host) else { return Ok(()) };
        let known = self.facts.entry(host.clone()).or_default();
        for (name, value) in facts {
            if value.deep_taint().is_secret() || unknown::unknown(value).is_some() {
                known.shift_remove(name);
            } else {
                known.insert(name.clone(), value.clone());
            }
        }
        if facts.contains_key("gather_subset") || facts.contains_key("ansible_gather_subset") {
            known.insert(GATHERED.into(), true.into());
        }
        let style = Style { indent: Some(4), sort_keys: true, ascii: true, hide_secrets: true };
        let text = json::map_to_string(known, style);
        self.write(&path, &text)
            .map_err(|error| format!("cannot write the facts to be cached in {}: {error}", path.display()))
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        // Nobody else may read it: the file is made so.
        let mut new = tempfile::Builder::new().prefix(".convoy-facts-").tempfile_in(&self.folder)?;
        new.write_all(text.as_bytes())?;
        new.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Forgets the facts of a host.
    ///
    /// # Errors
    /// If its file cannot be removed.
    pub fn forget(&mut self, host: &str) -> Result<(), String> {
        self.facts.remove(host);
        let Some(path) = self.path(host) else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove the cached facts in {}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Returns the file of a host; one whose name leads elsewhere has none.
    fn path(&self, host: &str) -> Option<PathBuf> {
        let name = format!("{}{host}", self.prefix);
        let plain = !host.is_empty() && !name.contains('/') && !matches!(&*name, "." | "..");
        plain.then(|| self.folder.join(name))
    }
}

fn is_file(name: &str) -> bool {
    matches!(name, "jsonfile" | "ansible.builtin.jsonfile")
}

fn without_mark(facts: Map) -> Map {
    facts.into_iter().filter(|(key, _): &(Key, Value)| key.as_str() != Some(GATHERED)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use convoy_protocol::{Kind, Taint, map};

    use super::*;

    fn cache(folder: &Path, timeout: u64) -> FactCache {
        let settings = Settings {
            fact_caching: "jsonfile".to_owned(),
            fact_caching_connection: Some(folder.join("made/facts")),
            fact_caching_prefix: Some("p_".to_owned()),
            fact_caching_timeout: timeout,
            ..Settings::default()
        };
        FactCache::of(&settings).unwrap().unwrap()
    }

    #[test]
    fn facts_are_there_for_the_next_run_and_secrets_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let host: Arc<str> = "web1".into();
        let mut first = cache(folder.path(), 60);
        let secret = Value::from("hunter2").tainted(Taint::SECRET);
        first
            .add(&host, &map! { "ansible_b" => 1, "gather_subset" => vec![Value::from("all")], "s" => secret.clone() })
            .unwrap();
        let nested = map! { "deep" => vec![secret] };
        let open = Value::from(Kind::Unknown("because".into()));
        first.add(&host, &map! { "a" => "é", "nested" => nested, "open" => open }).unwrap();
        let file = folder.path().join("made/facts/p_web1");
        let expected = "{\n    \"_ansible_facts_gathered\": true,\n    \"a\": \"\\u00e9\",\n    \"ansible_b\": 1,\n    \
                        \"gather_subset\": [\n        \"all\"\n    ]\n}";
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let facts = cache(folder.path(), 60).read(&host).unwrap().unwrap();
        assert_eq!(facts, map! { "a" => "é", "ansible_b" => 1, "gather_subset" => vec![Value::from("all")] });
        assert_eq!(cache(folder.path(), 60).read(&"web2".into()), Ok(None));
        assert_eq!(fs::read_dir(folder.path().join("made/facts")).unwrap().count(), 1);
        first.forget("web1").unwrap();
        first.forget("web1").unwrap();
        assert_eq!(cache(folder.path(), 60).read(&host), Ok(None));
    }

    #[test]
    fn old_facts_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let host: Arc<str> = "h".into();
        cache(folder.path(), 60).add(&host, &map! { "a" => 1 }).unwrap();
        let file = fs::File::options().write(true).open(folder.path().join("made/facts/p_h")).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(120)).unwrap();
        assert_eq!(cache(folder.path(), 60).read(&host), Ok(None));
        assert_eq!(cache(folder.path(), 0).read(&host), Ok(Some(map! { "a" => 1 })));
        assert_eq!(cache(folder.path(), 600).read(&host), Ok(Some(map! { "a" => 1 })));
    }

    #[test]
    fn what_is_wrong_with_a_cache_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let host: Arc<str> = "h".into();
        let mut cache = cache(folder.path(), 60);
        let file = folder.path().join("made/facts/p_h");
        for (text, why) in [
            ("{", "it is no JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "it holds no map"),
        ] {
            fs::write(&file, text).unwrap();
            let expected = format!("the cached facts in {} count for nothing: {why}", file.display());
            assert_eq!(cache.read(&host), Err(expected));
        }
        // Nothing is written outside of the folder.
        cache.add(&"../../x".into(), &map! { "a" => 1 }).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let settings = Settings { fact_caching: "jsonfile".to_owned(), ..Settings::default() };
        let problem = FactCache::of(&settings).unwrap_err().remove(0).to_string();
        assert_eq!(
            problem,
            "error: error, 'jsonfile' cache plugin requires the 'fact_caching_connection' config option to be set (to a \
             writeable directory path)"
        );
        let other = Settings { fact_caching: "redis".to_owned(), ..Settings::default() };
        assert!(FactCache::of(&other).unwrap().is_none());
        assert_eq!(
            FactCache::warning(&other).as_deref(),
            Some("there is no fact cache `redis`, only memory and jsonfile: facts are kept for one run")
        );
        assert_eq!(FactCache::warning(&Settings::default()), None);
    }
}
