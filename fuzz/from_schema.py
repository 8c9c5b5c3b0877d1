"""What Schemathesis has to know about our API: its scalars, and what a failure of ours looks like."""

import base64
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

schemathesis.graphql.scalar(
    "Cursor",
    st.one_of(
        st.text(max_size=30),
        st.tuples(st.integers(0, 2**70), st.integers(-1, 2**70)).map(
            lambda place: base64.urlsafe_b64encode(f"1.{place[0]}.{place[1]}".encode()).decode()
        ),
    ).map(nodes.String),
)


schemathesis.graphql.scalar("BigInt", st.integers(-(2**70), 2**70).map(nodes.Int))


@schemathesis.check
def not_our_failure(context: Any, response: Any, case: Any) -> None:
    """Refusals are errors with a code too; only what is not the caller's doing counts."""
    assert response.status_code < 500, response.status_code
    assert '"INTERNAL"' not in response.text, response.text
