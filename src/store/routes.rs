//! Records of routes: which carriers a tenant's messages take, and which ways are closed.

use super::traffic::Class;
use crate::clock::Timestamp;
use crate::ids::TenantId;

/// One version of a tenant's routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSetRow {
    /// Whose.
    pub tenant: TenantId,
    /// From 1 up; the highest is in force.
    pub version: u32,
    /// The rules as canonical JSON.
    pub rules: String,
    /// Who set them.
    pub author: String,
    /// The second person who approved, where one had to.
    pub approver: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A way of a tenant that is closed because too many people complained of what came by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRoute {
    /// Whose messages.
    pub tenant: TenantId,
    /// The carrier's configured name.
    pub carrier: String,
    /// Where the receivers are, ISO 3166-1 alpha-2.
    pub country: String,
    /// What kind of messages.
    pub class: Class,
    /// Complaints when it was closed …
    pub complaints: u64,
    /// … of so many messages.
    pub sent: u64,
    /// Since when.
    pub since: Timestamp,
}

/// Complaints of one way over a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteComplaints {
    /// Of whose messages.
    pub tenant: TenantId,
    /// The carrier's configured name.
    pub carrier: String,
    /// Where the receivers are, ISO 3166-1 alpha-2.
    pub country: String,
    /// What kind of messages.
    pub class: Class,
    /// How many complained.
    pub complaints: u64,
    /// Of how many messages.
    pub sent: u64,
}

/// All that decides about routes, of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRows {
    /// As `Store::routes_version` when read.
    pub version: u64,
    /// The sets in force.
    pub sets: Vec<RouteSetRow>,
    /// The ways that are closed.
    pub closed: Vec<ClosedRoute>,
}
