//! Closed sets of words: in Rust they are enums, in JSON and for people they are the words.

/// An enum, and for each variant the word that stands for it: in JSON, in `as_str` and in `Display`.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$about:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: [$name; [$($word),+].len()] = [$($name::$variant),+];

            /// As in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    words! {
        pub enum Colour {
            /// Like the sky.
            Blue = "blue",
            DarkRed = "dark_red",
        }
    }

    #[test]
    fn json_has_the_words_that_people_see() {
        assert_eq!(Colour::ALL.map(|colour| serde_json::to_value(colour).unwrap()), ["blue", "dark_red"]);
        assert_eq!(Colour::ALL.map(|colour| colour.to_string()), ["blue", "dark_red"]);
        assert!(Colour::ALL == [Colour::Blue, Colour::DarkRed]);
    }
}
