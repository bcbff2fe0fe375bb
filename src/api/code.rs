//! The stable codes of problem documents: one table of code, HTTP status, title and detail.
//!
//! A code, once released, keeps its meaning; clients branch on it. Details are fixed sentences, so that nothing a
//! caller sent can come back in one. The OpenAPI document and the page of problems are made from this table.

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($variant:ident $text:literal $status:ident $title:literal $detail:literal;)*) => {
        /// Why a request was not carried out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $detail] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// A short summary of the kind of problem (RFC 9457 §3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What it means and what to do about it.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail),* }
            }
        }
    };
}

codes! {
    MalformedRequest "malformed_request" BAD_REQUEST "Malformed request"
        "The request does not follow HTTP, or its path cannot be read.";
    MalformedJson "malformed_json" BAD_REQUEST "Malformed JSON"
        "The body is not one JSON document in UTF-8, or it is nested too deeply.";
    UnknownField "unknown_field" BAD_REQUEST "Unknown field"
        "The body or the query has a field that this call does not know. It was not carried out.";
    MissingField "missing_field" BAD_REQUEST "Missing field"
        "A field that this call needs is not there.";
    InvalidField "invalid_field" BAD_REQUEST "Invalid field"
        "A field has a value of the wrong type, form or range. Numbers are given as JSON strings.";
    UnsupportedValue "unsupported_value" BAD_REQUEST "Unsupported value"
        "The field is known, but this version of the service cannot do what its value asks for.";
    BatchTooLarge "batch_too_large" BAD_REQUEST "Batch too large"
        "A batch holds at most 10,000 items, one of aliases 1,000.";
    TokenMalformed "token_malformed" BAD_REQUEST "Malformed token"
        "This is no token: its form is wrong. It may have been cut, or be a number.";
    TokenMistyped "token_mistyped" BAD_REQUEST "Mistyped token"
        "This has the form of a token, but its checksum is wrong: a character was mistyped.";
    IdempotencyKeyInvalid "idempotency_key_invalid" BAD_REQUEST "Invalid Idempotency-Key"
        "An Idempotency-Key is given once and has 1 to 255 visible ASCII characters.";
    Unauthenticated "unauthenticated" UNAUTHORIZED "Not authenticated"
        "The request needs a valid credential in `Authorization: Bearer …`, used from an address it allows.";
    SignatureIncomplete "signature_incomplete" UNAUTHORIZED "Signature incomplete"
        "The signature cannot be read, is one of several, or covers or says less than it has to.";
    SignatureInvalid "signature_invalid" UNAUTHORIZED "Signature invalid"
        "No key that is known made this signature over this request and this body.";
    SignatureStale "signature_stale" UNAUTHORIZED "Signature not of now"
        "The signature is valid, but its `created` lies more than 300 seconds from now, or `expires` has passed.";
    NonceReplayed "nonce_replayed" UNAUTHORIZED "Nonce used before"
        "A signed request with this nonce was taken already. Sign again with a new one.";
    KeyRequired "key_required" FORBIDDEN "Key required"
        "This credential may only be used with its API key.";
    OauthRequired "oauth_required" FORBIDDEN "Access token required"
        "This credential may only be used with an access token from `POST /oauth/token`.";
    TlsRequired "tls_required" FORBIDDEN "TLS required"
        "This credential may only be used over TLS that ends at this service.";
    ClientCertRequired "client_cert_required" FORBIDDEN "Client certificate required"
        "This credential may only be used over a connection with its client certificate.";
    SignatureRequired "signature_required" FORBIDDEN "Signature required"
        "This credential may only be used with signed requests (RFC 9421).";
    Forbidden "forbidden" FORBIDDEN "Forbidden"
        "The credential's role or the policies do not allow this.";
    CarrierUnproven "carrier_unproven" FORBIDDEN "Not the carrier's"
        "The call does not prove that it is the carrier's: its signature is missing, wrong, too old or for another address.";
    FpeNotAllowed "fpe_not_allowed" FORBIDDEN "Not for live tenants"
        "Numbers in the form of numbers are for test data: a tenant with a route to a carrier gets none.";
    Frozen "frozen" FORBIDDEN "Frozen"
        "The tenant, credential or alias is frozen; nothing is revealed or carried until it is thawed.";
    NotFound "not_found" NOT_FOUND "Not found"
        "There is no such thing here for this credential.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed"
        "The path exists, but not for this method; `Allow` lists those it has.";
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "Request took too long"
        "The body did not arrive in time.";
    IdempotencyInFlight "idempotency_in_flight" CONFLICT "First request still in flight"
        "A request with this Idempotency-Key is being carried out. Ask again shortly.";
    SealedExhausted "sealed_exhausted" CONFLICT "Sealed tokens exhausted"
        "Sealed tokens of this number were erased 64 times; no further one can be made. Use another kind.";
    ErasureBusy "erasure_busy" CONFLICT "Person is in use"
        "New tokens or aliases of the person kept coming in. Stop making them and ask again.";
    ProofUsed "proof_used" CONFLICT "Proof used already"
        "A proof changes a number once. Verify the person again.";
    AliasConflict "alias_conflict" CONFLICT "Alias conflict"
        "Another change got there first, or the alias is bound otherwise already.";
    PoolExhausted "pool_exhausted" CONFLICT "Pool exhausted"
        "No number of the pool can carry this alias now.";
    NumberOccupied "number_occupied" CONFLICT "Number occupied"
        "The pool number that was asked for carries another alias, or rests.";
    AlreadyExists "already_exists" CONFLICT "Exists already"
        "There is one of this name already.";
    ApprovalPending "approval_pending" CONFLICT "Approval pending"
        "Nobody decided about the approval yet. Another person has to, with an approver's credential.";
    ApprovalDenied "approval_denied" CONFLICT "Approval denied"
        "A second person said no. Repeat the request without the approval to ask anew.";
    ApprovalExpired "approval_expired" CONFLICT "Approval expired"
        "The approval was not decided within a day, or not used within an hour. Repeat the request without it.";
    ApprovalUsed "approval_used" CONFLICT "Approval used"
        "An approval works once, and this one did. Repeat the request without it to ask anew.";
    ApprovalMismatch "approval_mismatch" CONFLICT "Approval for something else"
        "The approval is for another request, requester or policy version. Repeat the request without it.";
    ApprovalVoid "approval_void" CONFLICT "Approval void"
        "The credential of the requester or of the approver ended or is frozen. Repeat the request without it.";
    ApprovalDecided "approval_decided" CONFLICT "Approval decided"
        "The approval was decided already, or its time ran out.";
    ApprovalsWaiting "approvals_waiting" CONFLICT "Too many approvals wait"
        "100 requests of this credential wait for a second person. Have them decided first.";
    SamePerson "same_person" FORBIDDEN "Same person"
        "Who asked cannot decide, whatever the credential: another person has to.";
    RoutesConflict "routes_conflict" CONFLICT "Other routes are in force"
        "The routes changed since `base` was read, or some are in force and no `base` was named. Read them and ask again.";
    RoutesInvalid "routes_invalid" UNPROCESSABLE_ENTITY "Routes invalid"
        "A rule names a carrier, operator or region that cannot be, contradicts itself or says what another one says; \
         `errors` names each. Nothing was changed.";
    PolicyConflict "policy_conflict" CONFLICT "Policy conflict"
        "Other policies are in force than those that the proposal was made against, or it is no proposal. Look at those in force and propose again.";
    TooManyProposals "too_many_proposals" CONFLICT "Too many proposals"
        "20 proposals of policies wait. Withdraw some.";
    TooManyWebhooks "too_many_webhooks" CONFLICT "Too many webhooks"
        "The tenant has 100 webhooks. Delete some.";
    WebhookDisabled "webhook_disabled" CONFLICT "Webhook is disabled"
        "The webhook is disabled and is not called. Enable it first.";
    AliasExpired "alias_expired" GONE "Alias is over"
        "The alias has ended.";
    VerificationApproved "verification_approved" GONE "Verification approved already"
        "The right code was entered already; a code works once.";
    VerificationCanceled "verification_canceled" GONE "Verification canceled"
        "The verification was canceled, or a newer one took its place.";
    VerificationExpired "verification_expired" GONE "Verification expired"
        "The code was not entered in time.";
    VerificationExhausted "verification_exhausted" GONE "Verification exhausted"
        "Every attempt was spent.";
    VerificationFailed "verification_failed" GONE "Verification failed"
        "The code could not be sent.";
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "Body too large"
        "A body has at most 1,000,000 bytes.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type"
        "The body has to be application/json.";
    NumberInvalid "number_invalid" UNPROCESSABLE_ENTITY "Invalid number"
        "This is no phone number that could be called.";
    NumberTooShort "number_too_short" UNPROCESSABLE_ENTITY "Number too short"
        "The number has too few digits for its country.";
    RegionRequired "region_required" UNPROCESSABLE_ENTITY "Region required"
        "The number is in national form: say its country in `region`, or write it with + and the country code.";
    NumberNotMobile "number_not_mobile" UNPROCESSABLE_ENTITY "Not a mobile number"
        "The number is certainly not mobile and cannot receive messages.";
    NumberTypeRefused "number_type_refused" UNPROCESSABLE_ENTITY "Number type refused"
        "Premium, shared-cost, universal-access and satellite numbers are no destinations.";
    NumberInPool "number_in_pool" UNPROCESSABLE_ENTITY "Number is in a pool"
        "The number belongs to a pool of virtual numbers.";
    NumberInText "number_in_text" UNPROCESSABLE_ENTITY "Phone number in text"
        "A text field holds what looks like a phone number. Put a token there instead.";
    UrlRefused "url_refused" UNPROCESSABLE_ENTITY "URL refused"
        "Webhooks go to https URLs of the public internet, on port 443 or above 1023, without name, password and fragment. Other networks have to be allowed in the settings.";
    PolicyInvalid "policy_invalid" UNPROCESSABLE_ENTITY "Invalid policies"
        "The policies cannot be read or do not agree with the schema; `errors` names file, line and fault. Nothing was proposed.";
    PolicyFixture "policy_fixture" UNPROCESSABLE_ENTITY "A fixture fails"
        "The policies decide a case of their fixtures otherwise than it says; `errors` names it. Mend the policy or the case.";
    PolicyUnsafe "policy_unsafe" UNPROCESSABLE_ENTITY "Unsafe policies"
        "These policies may never come into force, however many agree; `errors` says why.";
    FpeDomainTooSmall "fpe_domain_too_small" UNPROCESSABLE_ENTITY "Too few digits"
        "So few digits leave fewer than a million numbers that could be meant. Try without `keep_country`.";
    ProofInvalid "proof_invalid" UNPROCESSABLE_ENTITY "Proofs do not fit"
        "Two proofs are needed, one of each number, of verifications that this tenant had approved within ten minutes.";
    SameParty "same_party" UNPROCESSABLE_ENTITY "Same party"
        "The two tokens stand for one person.";
    Unroutable "unroutable" UNPROCESSABLE_ENTITY "Unroutable"
        "No route leads to this destination.";
    TextTooLong "text_too_long" UNPROCESSABLE_ENTITY "Text too long"
        "The text needs more than 10 parts of a message.";
    SenderNotRegistered "sender_not_registered" UNPROCESSABLE_ENTITY "Sender not registered"
        "The sender is none that the tenant registered for this country and class, and no number of a pool that it may use.";
    TemplateMismatch "template_mismatch" UNPROCESSABLE_ENTITY "Variables do not fit"
        "The template needs a variable that is not there, or does not know one that is; or its class is another.";
    Suppressed "suppressed" UNPROCESSABLE_ENTITY "Person asked to be spared"
        "The person asked not to get messages of this kind. Only they can take that back, or whoever entered it.";
    ContentRefused "content_refused" UNPROCESSABLE_ENTITY "Content refused"
        "The text breaks a rule of the content policy that it has to pass: a word, a link, its length, or a repetition.";
    IdempotencyMismatch "idempotency_mismatch" UNPROCESSABLE_ENTITY "Idempotency-Key reused"
        "This Idempotency-Key was used with another body.";
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests"
        "A limit is reached. Try again after `Retry-After` seconds.";
    BudgetExhausted "budget_exhausted" TOO_MANY_REQUESTS "Daily budget exhausted"
        "The credential's budget of the day has less left than this needs; nothing was done. It starts anew at midnight UTC.";
    SpendCapReached "spend_cap_reached" TOO_MANY_REQUESTS "Spend cap reached"
        "The day's cap on messages has less left than this needs; nothing was sent. It starts anew at midnight UTC.";
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error"
        "Something went wrong on our side; the request_id finds it in the log.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "Unavailable"
        "A store cannot be used right now. Nothing was acknowledged; try again after `Retry-After` seconds.";
    KmsUnavailable "kms_unavailable" SERVICE_UNAVAILABLE "Keys unavailable"
        "The holder of the keys cannot be asked right now. Nothing was done; try again after `Retry-After` seconds.";
}

impl Code {
    /// The code that `text` names, as services name their refusals.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// The nearest code for a status that the HTTP layer itself produced.
    pub fn for_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            413 => Self::BodyTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            503 => Self::Unavailable,
            500..=599 => Self::Internal,
            _ => Self::MalformedRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_codes_share_a_text_and_each_is_found_by_it() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::named(code.as_str()), Some(*code));
        }
    }

    #[test]
    fn every_refused_number_is_unprocessable() {
        for code in [Code::NumberInvalid, Code::NumberTooShort, Code::NumberNotMobile, Code::NumberTypeRefused] {
            assert_eq!(code.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}
