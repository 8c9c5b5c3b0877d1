// The shop's own script: its language, and whether somebody is signed in.

import { LANGUAGE, translate } from "/words.js";

document.documentElement.lang = LANGUAGE;
translate(document);

const answer = await fetch("/identity");
document.getElementById("sign-in").hidden = answer.status === 200;
document.getElementById("sign-out").hidden = answer.status !== 200;
