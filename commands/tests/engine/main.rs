//! The engine as a whole, on the store in memory and on SQLite: races, faults, restarts.

mod faults;
mod nodes;
mod races;
mod restarts;
mod world;
