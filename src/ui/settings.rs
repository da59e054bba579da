//! How to show things: what people typed and what the environment says, resolved once.

use std::io::IsTerminal;

/// The form of results (`--output`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// The CI system in whose log the output appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ci {
    #[default]
    None,
    /// `GITHUB_ACTIONS` is `true`.
    GitHub,
    /// `GITLAB_CI` is set.
    GitLab,
}

/// What was typed, before the environment is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flags {
    pub format: Format,
    pub color: ColorChoice,
    pub verbose: bool,
    pub quiet: bool,
}

/// What the environment says about colors and terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and neither empty nor `0` (bixense.com/clicolors).
    pub force_color: bool,
    /// `TERM` is `dumb`: a terminal that understands no control sequences.
    pub dumb: bool,
    pub ci: Ci,
    /// The locale is one of UTF-8: `LC_ALL`, `LC_CTYPE`, `LANG`, the first that is set.
    pub unicode: bool,
    pub stdin_terminal: bool,
    pub stdout_terminal: bool,
    pub stderr_terminal: bool,
}

/// Everything that decides how results and progress look.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub format: Format,
    /// Every transition, also those that say that nothing changed.
    pub verbose: bool,
    /// Warnings, errors and the result only.
    pub quiet: bool,
    /// Somebody is there to answer: stdin and stderr are terminals.
    pub terminal: bool,
    /// Control characters in data would reach a terminal.
    pub stdout_terminal: bool,
    pub stdout_colors: bool,
    pub stderr_colors: bool,
    /// The running step may be redrawn in place on standard error.
    pub live: bool,
    /// Symbols beyond ASCII can be shown.
    pub unicode: bool,
    pub ci: Ci,
}

impl Environment {
    /// This process's environment.
    #[expect(clippy::disallowed_methods, reason = "asks about the streams, prints nothing")]
    pub fn read() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        Self {
            no_color: set("NO_COLOR").is_some(),
            force_color: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: set("TERM").is_some_and(|value| value == "dumb"),
            ci: match () {
                () if set("GITHUB_ACTIONS").is_some_and(|value| value == "true") => Ci::GitHub,
                () if set("GITLAB_CI").is_some() => Ci::GitLab,
                () => Ci::None,
            },
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
            stdin_terminal: std::io::stdin().is_terminal(),
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// The flag beats `NO_COLOR`, that beats `CLICOLOR_FORCE`, and only then the stream is asked.
    fn colors(&self, choice: ColorChoice, stream_is_terminal: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if self.no_color => false,
            ColorChoice::Auto if self.force_color => true,
            ColorChoice::Auto => stream_is_terminal && !self.dumb,
        }
    }
}

impl Settings {
    pub fn resolve(flags: Flags, environment: &Environment) -> Self {
        let Flags { format, color, verbose, quiet } = flags;
        Self {
            format,
            verbose,
            quiet,
            terminal: environment.stdin_terminal && environment.stderr_terminal,
            stdout_terminal: environment.stdout_terminal,
            stdout_colors: environment.colors(color, environment.stdout_terminal),
            stderr_colors: environment.colors(color, environment.stderr_terminal),
            live: format == Format::Text
                && !quiet
                // Every line stays on the screen then.
                && !verbose
                && environment.stderr_terminal
                && !environment.dumb
                && environment.ci == Ci::None,
            unicode: environment.unicode,
            ci: environment.ci,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Environment = Environment {
        no_color: false,
        force_color: false,
        dumb: false,
        ci: Ci::None,
        unicode: true,
        stdin_terminal: true,
        stdout_terminal: true,
        stderr_terminal: true,
    };

    fn colors(color: ColorChoice, environment: Environment) -> bool {
        Settings::resolve(Flags { color, ..Flags::default() }, &environment).stderr_colors
    }

    #[test]
    fn colors_follow_flag_then_no_color_then_force_then_terminal() {
        use ColorChoice::*;
        let piped = Environment::default();
        for (choice, environment, expected) in [
            (Auto, TERMINAL, true),
            (Auto, piped, false),
            (Auto, Environment { no_color: true, ..TERMINAL }, false),
            (Auto, Environment { dumb: true, ..TERMINAL }, false),
            (Auto, Environment { force_color: true, ..piped }, true),
            (Auto, Environment { force_color: true, no_color: true, ..piped }, false),
            (Always, Environment { no_color: true, ..piped }, true),
            (Never, Environment { force_color: true, ..TERMINAL }, false),
        ] {
            assert_eq!(colors(choice, environment), expected, "{choice:?} {environment:?}");
        }
    }

    #[test]
    fn each_stream_is_judged_by_itself() {
        let settings = Settings::resolve(Flags::default(), &Environment { stdout_terminal: false, ..TERMINAL });
        assert!(settings.stderr_colors && !settings.stdout_colors);
    }

    #[test]
    fn a_step_is_redrawn_only_where_that_can_be_seen() {
        let live = |flags, environment: Environment| Settings::resolve(flags, &environment).live;
        assert!(live(Flags::default(), TERMINAL));
        assert!(!live(Flags::default(), Environment { stderr_terminal: false, ..TERMINAL }));
        assert!(!live(Flags::default(), Environment { dumb: true, ..TERMINAL }));
        assert!(!live(Flags::default(), Environment { ci: Ci::GitHub, ..TERMINAL }));
        let json = Flags { format: Format::Json, ..Flags::default() };
        for flags in [json, Flags { quiet: true, ..Flags::default() }, Flags { verbose: true, ..Flags::default() }] {
            assert!(!live(flags, TERMINAL), "{flags:?}");
        }
    }

    #[test]
    fn somebody_can_answer_only_where_the_question_is_seen_and_the_answer_is_read() {
        let unseen = Environment { stderr_terminal: false, ..TERMINAL };
        let unheard = Environment { stdin_terminal: false, ..TERMINAL };
        assert!(Settings::resolve(Flags::default(), &TERMINAL).terminal);
        assert!(!Settings::resolve(Flags::default(), &unseen).terminal);
        assert!(!Settings::resolve(Flags::default(), &unheard).terminal);
    }
}
