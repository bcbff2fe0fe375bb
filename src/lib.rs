//! bauta: a privacy boundary for phone numbers.

pub mod access;
pub mod alias;
pub mod api;
pub mod audit;
pub mod carrier;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod dispatch;
pub mod event;
pub mod guard;
pub mod ids;
pub mod keyring;
pub mod message;
pub mod pages;
pub mod phone;
pub mod relay;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod vault;
pub mod verify;
pub mod worker;
