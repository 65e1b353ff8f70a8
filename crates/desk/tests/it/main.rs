//! The pages as a browser meets them: loopback rules, flows without JavaScript, escaping, goldens.

mod browser;
mod fake;
mod flows;
mod goldens;
mod rules;
