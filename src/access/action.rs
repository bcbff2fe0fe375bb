//! What can be asked for, by the names that policies use.

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// One kind of request. The names are those of the Cedar actions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$doc])* $name),* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in policies and in the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

actions! {
    /// Make tokens from numbers, one or many.
    TokenCreate,
    /// Make numbers in the form of numbers, for test data.
    TokenCreateFpe,
    /// Ask whether a number has a token.
    TokenLookup,
    /// Get one person's token for another audience.
    TokenExchange,
    /// See what is known about a token, never its number.
    TokenRead,
    /// Get the number behind a token.
    TokenReveal,
    /// Erase a token.
    TokenErase,
    /// Erase everything of a person.
    SubjectErase,
    /// Get all that is held of a person; with a purpose, the number too.
    SubjectExport,
    /// Move a person's aliases to another number of theirs.
    SubjectChange,
    /// Start a verification.
    VerificationStart,
    /// Check an answer, or have the code sent again.
    VerificationCheck,
    /// Give a verification up.
    VerificationCancel,
    /// See how a verification stands.
    VerificationRead,
    /// Bind people to a virtual number.
    AliasBind,
    /// See aliases and their history.
    AliasRead,
    /// Change an alias, its end for instance.
    AliasChange,
    /// Give an alias up.
    AliasRelease,
    /// Write to a party of an alias, or to a person in the tenant's own name.
    MessageSend,
    /// See what became of a message.
    MessageRead,
    /// See the tenant's templates.
    TemplateRead,
    /// Make and remove templates.
    TemplateManage,
    /// See who asked to be spared messages.
    SuppressionRead,
    /// Spare people messages, and take that back.
    SuppressionManage,
    /// File a person's complaint.
    ComplaintFile,
    /// See what messages came to.
    UsageRead,
    /// See what the tenant says about itself.
    TenantRead,
    /// Change what the tenant says about itself.
    TenantChange,
    /// Make pools and add numbers.
    PoolManage,
    /// See pools and their counts.
    PoolRead,
    /// Take a number out of allocation.
    NumberDrain,
    /// Say where the tenant is told of events, and give endpoints other secrets.
    WebhookManage,
    /// Have an endpoint told again, try it, or delete it: nothing goes elsewhere for it, so that one person is enough.
    WebhookTend,
    /// See endpoints and what was sent to them.
    WebhookRead,
    /// See the tenant's routes, and why a message would go which way.
    RouteRead,
    /// Set the tenant's routes.
    RouteManage,
    /// Issue and rotate credentials.
    CredentialManage,
    /// List credentials.
    CredentialRead,
    /// End a credential. Apart from issuing, so that an emergency needs one person.
    CredentialRevoke,
    /// See what waits for a second person.
    ApprovalRead,
    /// Approve or deny what another person asked for.
    ApprovalDecide,
    /// See the deployment's policies, all versions.
    PolicyRead,
    /// Propose other policies, or take a proposal back.
    PolicyPropose,
    /// Put proposed policies into force.
    PolicyActivate,
    /// Read the log.
    AuditRead,
    /// Freeze or thaw a tenant, credential or alias.
    Freeze,
    /// Use the handsets of the sandbox.
    SandboxUse,
    /// Make a tenant.
    TenantCreate,
    /// Erase a tenant for good.
    TenantErase,
    /// Copy the store, at a terminal of the machine.
    StoreBackup,
    /// Read the whole log, at a terminal of the machine.
    DeploymentAudit,
    /// Make new versions of the tenant's keys, and wrap them anew.
    KeyManage,
    /// Destroy the tenant's keys, and with them all that they sealed.
    KeyDestroy,
    /// See all keys, turn and back up those of the deployment, at a terminal of the machine.
    DeploymentKeyManage,
    /// See tokens of every audience of the tenant, and masks. Settled with every permit.
    AudienceCross,
}

impl Action {
    /// Whether it goes on while the tenant is frozen: what is needed to understand and to end the freeze, and what the
    /// law gives people a right to, which nobody can be made to wait for.
    pub(super) const fn outlasts_freeze(self) -> bool {
        matches!(self, Self::Freeze | Self::AuditRead | Self::TokenErase | Self::SubjectErase | Self::TenantErase)
    }
}
