//! Integration tests of the laboratory, one binary.

#[cfg(test)]
mod command;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod life;
#[cfg(test)]
mod margins;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod performance;
mod planted;
#[cfg(test)]
mod population;
#[cfg(test)]
mod risk;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod swarm;
#[cfg(test)]
mod worlds;
