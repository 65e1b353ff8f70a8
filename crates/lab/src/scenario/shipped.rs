//! The scripts that come with the laboratory, in the order of the page.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!($name, ".feature"),
            include_str!(concat!("../../scenarios/", $name, ".feature")),
        )),*]
    };
}

/// What each is called, and its text.
pub const SHIPPED: &[(&str, &str)] = shipped![
    "birth",
    "move",
    "wrong-affair",
    "more-than-fifty",
    "lost-card",
    "suginami-2022",
    "nobeoka-2015",
    "yokohama-2023",
    "kawasaki-2023",
    "takamatsu-2024",
    "j-lis-alarm-2024",
    "j-lis-2016-relay",
    "j-lis-2016-half-dead",
    "protection",
    "nagano-2003",
    "stolen-media",
    "juki-card",
];
