//! `config.md`: every option of `init` as flag, environment variable and key of a `--config` file.

use super::markdown::{code, codes, prose, table};
use crate::cli::secret_args::file_flag;
use crate::cli::{options, passwords};
use crate::model::{OptionDef, OptionKind, env_name};
use crate::providers::{self, cloud};

const HEADS: [&str; 4] = ["Key", "Values", "Default", "Meaning"];

pub(super) fn page() -> String {
    let mut text = "# Options of a deployment\n\n\
        Each key is an option of `exasol init` and of `exasol doctor`: `cluster-size` is the flag `--cluster-size`, the\n\
        environment variable `EXASOL_CLUSTER_SIZE`, and the key `cluster-size` (or `cluster_size`) in the TOML file that\n\
        `--config` names. The command line overrides the environment, and the environment overrides the file. Variables that are named below are\n\
        read too, after the option's own. A table with a provider's name has keys for that provider only: they override the others, and with another\n\
        provider the table is skipped. A key that no option has is an error, in the tables of all providers.\n\n\
        ```toml\n\
        cloud-provider = \"libvirt\"\n\
        cluster-size = 3\n\
        allowed-cidr = [\"192.0.2.0/24\"]\n\n\
        [libvirt]\n\
        libvirt-memory = 16\n\
        ```\n\n\
        ## All providers\n\n"
        .to_owned();
    let provider = vec![
        code("cloud-provider"),
        codes(providers::ALL.iter().map(|provider| provider.name)),
        code(providers::DEFAULT),
        "Where the machines are made".to_owned(),
    ];
    let common = options::COMMON.iter().map(row);
    text += &table(&HEADS, &[provider].into_iter().chain(common).collect::<Vec<_>>());
    text += "## Passwords\n\nGenerated, if they are not given. In a file there is only the form with `-file`.\n\n";
    let rows: Vec<_> =
        passwords::NAMES.iter().map(|(name, whose)| secret(name, &format!("Password of {whose}"), &[])).collect();
    text += &table(&["Key", "Environment", "Meaning"], &rows);
    text += "## All clouds\n\n";
    text += &table(&HEADS, &cloud::OPTIONS.iter().map(row).collect::<Vec<_>>());
    for provider in providers::ALL {
        text += &format!("## {}\n\n`cloud-provider = \"{}\"`\n\n", provider.title, provider.name);
        text += &table(&HEADS, &provider.options.iter().map(row).collect::<Vec<_>>());
        let secrets = provider.cloud().map(|cloud| cloud.secrets).unwrap_or_default();
        let rows: Vec<_> = secrets.iter().map(|def| secret(def.flag, def.what, def.env)).collect();
        text += &table(&["Key", "Environment", "Meaning"], &rows);
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn row(def: &OptionDef) -> Vec<String> {
    let values = match def.kind {
        OptionKind::Integer { min, max } => format!("{min} to {max} {}", def.value_name).replace(" N", ""),
        OptionKind::Text => "text".into(),
        OptionKind::Path => "path".into(),
        OptionKind::PathOrUrl => "path or URL".into(),
        OptionKind::List => "list of texts".into(),
        OptionKind::OneOrMore => "text, or list of texts".into(),
        OptionKind::Flag => "`true`, `false`".into(),
        OptionKind::Choice(choices) => codes(choices),
    };
    let mut meaning = prose(def.help);
    if !def.env.is_empty() {
        meaning += &format!("; also {}", codes(def.env));
    }
    vec![code(def.flag), values, def.default.map(code).unwrap_or_default(), meaning]
}

fn secret(name: &'static str, what: &str, env: &[&str]) -> Vec<String> {
    let own = env_name(name);
    let variables = [own.as_str()].into_iter().chain(env.iter().copied());
    let mut meaning = what.to_owned();
    meaning.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    vec![code(&file_flag(name)), codes(variables), format!("File with it, `-` for standard input: {}", prose(&meaning))]
}
