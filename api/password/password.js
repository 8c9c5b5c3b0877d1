"use strict";

// The token stands behind the #, which the browser sends to nobody; it leaves with the password only.

const QUERY = "mutation SetPassword($input: PasswordSetInput!) { passwordSet(input: $input) { ok userErrors { message } } }";
const form = document.querySelector("form");
const said = document.querySelector("[role=status]");
const goOn = document.getElementById("go-on");
let input = {}; // sent again as it was while no other password is typed: its answer may have been lost

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  said.textContent = "";
  const typed = { token: location.hash.slice(1), password: form.password.value };
  if (input.token !== typed.token || input.password !== typed.password) input = { ...typed, clientMutationId: uuid() };
  try {
    const response = await fetch("/graphql", {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
      body: JSON.stringify({ query: QUERY, variables: { input } }),
    });
    const { data, errors } = await response.json();
    if (data?.passwordSet?.ok) {
      form.hidden = true;
      history.replaceState(null, "", location.pathname);
      said.textContent = form.dataset.done;
      goOn.hidden = false;
      goOn.focus();
    } else {
      said.textContent = [...(data?.passwordSet?.userErrors ?? []), ...(errors ?? [])].map(({ message }) => message).join(" ");
    }
  } catch {
    said.textContent = form.dataset.failed;
  } finally {
    button.disabled = false;
  }
});

form.hidden = false;
form.password.focus();

/** crypto.randomUUID exists only on https and localhost. */
function uuid() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
