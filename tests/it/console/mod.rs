//! The console: over plain HTTP what needs no browser, and in Chromium what people see of it.

mod accounts;
mod acts;
mod administration;
mod bound_work;
mod browser;
mod bulk;
mod conflicts;
mod copies;
mod correcting;
mod demo;
mod harness;
mod held;
mod login;
mod many_files;
mod notices;
mod open;
mod pages;
mod pictures;
mod processes;
mod reference;
mod rehearse;
mod rows;
mod same_words;
mod seen;
mod several_accounts;
mod watching;
