//! What the HTTP library keeps of a request after its answer, and how it is made to keep nothing.
//!
//! Heads of requests are kept for reuse as they are, a hundred of them to a thread. Their header values are slices of
//! the connection's read buffer, and so keep all of it, the body included; the target may name a number by itself.
//! What is freed is wiped by the allocator: all there is to do is to let go. Called by `dress`, once on the way in and
//! once on the way out.

use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::header::HeaderValue;

/// Gives the head header values of its own, so that the read buffer goes with the body whatever becomes of the request:
/// one whose client hangs up never comes to [`empty`].
pub(super) fn sever(request: &mut ServiceRequest) {
    request.headers_mut().retain(|_, value| match HeaderValue::from_bytes(value.as_bytes()) {
        Ok(own) => {
            *value = own;
            true
        }
        // Never: it was a header value before.
        Err(_) => false,
    });
}

/// Empties the head behind an answer. One that is still to be streamed may hold on to its request, and is left alone.
pub(super) fn empty(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if response.response().body().size() == BodySize::Stream {
        return response;
    }
    let (request, response) = response.into_parts();
    let mut request = ServiceRequest::from_request(request);
    let head = request.head_mut();
    head.headers.clear();
    head.uri = Uri::default();
    request.match_info_mut().get_mut().update(&Uri::default());
    ServiceResponse::new(request.into_parts().0, response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::HttpResponse;
    use actix_web::test::TestRequest;
    use actix_web::web::Bytes;

    use super::*;

    #[test]
    fn header_values_no_longer_share_the_buffer_they_came_in() {
        let buffer = Bytes::from_static(b"abc the rest of the buffer");
        let value = HeaderValue::from_maybe_shared(buffer.slice(..3)).unwrap();
        let mut request = TestRequest::default().append_header(("x-one", value.clone())).to_srv_request();
        sever(&mut request);
        let own = request.headers().get("x-one").unwrap();
        assert_eq!(own, value);
        assert_ne!(own.as_bytes().as_ptr(), value.as_bytes().as_ptr());
    }

    #[test]
    fn nothing_of_a_request_is_left_behind_its_answer() {
        let request = TestRequest::with_uri("/sandbox/messages?to=1").append_header(("x-one", "1")).to_srv_request();
        let answer = empty(request.into_response(HttpResponse::Ok().body("x")));
        assert!(answer.request().headers().is_empty());
        assert_eq!((answer.request().uri(), answer.request().match_info().as_str()), (&Uri::default(), "/"));
    }

    #[test]
    fn a_stream_that_still_has_its_request_is_left_alone() {
        let request = TestRequest::with_uri("/x").to_srv_request();
        let kept = request.request().clone();
        let body = futures::stream::once(async { Ok::<_, actix_web::Error>(Bytes::from_static(b"x")) });
        let answer = empty(request.into_response(HttpResponse::Ok().streaming(body)));
        assert_eq!((answer.request().uri(), kept.path()), (&Uri::from_static("/x"), "/x"));
    }
}
