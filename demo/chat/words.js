// What the page says, in the reader's language.

const en = {
  sign_in: "Sign in as Ada",
  sign_out: "Sign out, Ada",
  mug: "Mug, sea green",
  about: "Thrown by hand, glazed twice, safe in the dishwasher. Each is a little different.",
  try: "The button below opens the chat. Try it without a network, in two tabs, on a narrow window.",
  open: "Chat with us",
  unread: "{count} unread",
  close: "Close the chat",
  log: "The conversation",
  welcome: "Hello! Write to us: a person answers.",
  your_message: "Your message",
  send: "Send",
  us: "The shop",
  connecting: "Connecting…",
  offline: "No connection. What you write is kept and sent as soon as there is one.",
  sending: "sending",
  sent: "sent",
  read: "read",
  typing: "The shop is typing",
  optional: "(optional)",
  before: "Before we begin",
  attach: "Attach files",
  remove: "Remove {name}",
  here: "We are here and answer soon.",
  away: "We are away. We answer as soon as we are back.",
  back: "Back: {time}. What you write waits for us.",
  sign_in_first: "Please sign in to write to us.",
  files_limit: "At most {most} files, of at most 10 MB each.",
  refused: "not sent",
  refused_too_large: "That file is too large.",
  later: "That is a lot at once. It is sent in a while.",
  refused_answers_needed: "Please answer the questions first.",
  refused_bad_answer: "Please look at your answers again.",
  refused_identify_first: "Please sign in to write to us.",
  refused_other: "That could not be sent.",
};

const pl = {
  sign_in: "Zaloguj się jako Ada",
  sign_out: "Wyloguj się, Ado",
  mug: "Kubek, morska zieleń",
  about: "Toczony ręcznie, dwa razy szkliwiony, można myć w zmywarce. Każdy jest trochę inny.",
  try: "Przycisk poniżej otwiera czat. Wypróbuj go bez sieci, w dwóch kartach, w wąskim oknie.",
  open: "Napisz do nas",
  unread: "Nieprzeczytane: {count}",
  close: "Zamknij czat",
  log: "Rozmowa",
  welcome: "Dzień dobry! Napisz do nas, odpowie człowiek.",
  your_message: "Twoja wiadomość",
  send: "Wyślij",
  us: "Sklep",
  connecting: "Łączenie…",
  offline: "Brak połączenia. To, co napiszesz, zostanie zachowane i wysłane, gdy tylko wróci.",
  sending: "wysyłanie",
  sent: "wysłano",
  read: "przeczytano",
  typing: "Sklep pisze",
  optional: "(nieobowiązkowe)",
  before: "Zanim zaczniemy",
  attach: "Dołącz pliki",
  remove: "Usuń {name}",
  here: "Jesteśmy i wkrótce odpowiemy.",
  away: "Teraz nas nie ma. Odpowiemy, gdy tylko wrócimy.",
  back: "Wracamy: {time}. Wiadomość na nas poczeka.",
  sign_in_first: "Zaloguj się, aby do nas napisać.",
  files_limit: "Najwyżej {most} plików, każdy do 10 MB.",
  refused: "nie wysłano",
  refused_too_large: "Ten plik jest za duży.",
  later: "To dużo naraz. Wyślemy to za chwilę.",
  refused_answers_needed: "Najpierw odpowiedz na pytania.",
  refused_bad_answer: "Sprawdź swoje odpowiedzi.",
  refused_identify_first: "Zaloguj się, aby do nas napisać.",
  refused_other: "Nie udało się tego wysłać.",
};

const es = {
  sign_in: "Entrar como Ada",
  sign_out: "Salir, Ada",
  mug: "Taza verde mar",
  about: "Torneada a mano, esmaltada dos veces, apta para lavavajillas. Cada una es un poco distinta.",
  try: "El botón de abajo abre el chat. Pruébalo sin red, en dos pestañas, en una ventana estrecha.",
  open: "Escríbenos",
  unread: "{count} sin leer",
  close: "Cerrar el chat",
  log: "La conversación",
  welcome: "¡Hola! Escríbenos: responde una persona.",
  your_message: "Tu mensaje",
  send: "Enviar",
  us: "La tienda",
  connecting: "Conectando…",
  offline: "Sin conexión. Lo que escribas se guarda y se envía en cuanto vuelva.",
  sending: "enviando",
  sent: "enviado",
  read: "leído",
  typing: "La tienda está escribiendo",
  optional: "(opcional)",
  before: "Antes de empezar",
  attach: "Adjuntar archivos",
  remove: "Quitar {name}",
  here: "Estamos aquí y respondemos pronto.",
  away: "Ahora no estamos. Respondemos en cuanto volvamos.",
  back: "Volvemos: {time}. Tu mensaje nos espera.",
  sign_in_first: "Inicia sesión para escribirnos.",
  files_limit: "Como mucho {most} archivos, de 10 MB cada uno como máximo.",
  refused: "no enviado",
  refused_too_large: "Ese archivo es demasiado grande.",
  later: "Es mucho de una vez. Se enviará dentro de un rato.",
  refused_answers_needed: "Responde primero a las preguntas.",
  refused_bad_answer: "Revisa tus respuestas.",
  refused_identify_first: "Inicia sesión para escribirnos.",
  refused_other: "Eso no se ha podido enviar.",
};

const ca = {
  sign_in: "Entra com a Ada",
  sign_out: "Surt, Ada",
  mug: "Tassa verd mar",
  about: "Tornejada a mà, esmaltada dues vegades, apta per al rentaplats. Cada una és una mica diferent.",
  try: "El botó de sota obre el xat. Prova'l sense xarxa, en dues pestanyes, en una finestra estreta.",
  open: "Escriu-nos",
  unread: "{count} sense llegir",
  close: "Tanca el xat",
  log: "La conversa",
  welcome: "Hola! Escriu-nos: respon una persona.",
  your_message: "El teu missatge",
  send: "Envia",
  us: "La botiga",
  connecting: "S'està connectant…",
  offline: "Sense connexió. El que escriguis es desa i s'envia així que torni.",
  sending: "s'envia",
  sent: "enviat",
  read: "llegit",
  typing: "La botiga està escrivint",
  optional: "(opcional)",
  before: "Abans de començar",
  attach: "Adjunta fitxers",
  remove: "Treu {name}",
  here: "Som aquí i responem aviat.",
  away: "Ara no hi som. Responem així que tornem.",
  back: "Tornem: {time}. El teu missatge ens espera.",
  sign_in_first: "Inicia la sessió per escriure-nos.",
  files_limit: "Com a màxim {most} fitxers, de fins a 10 MB cadascun.",
  refused: "no enviat",
  refused_too_large: "Aquest fitxer és massa gran.",
  later: "És molt d'un cop. S'enviarà d'aquí a una estona.",
  refused_answers_needed: "Respon primer les preguntes.",
  refused_bad_answer: "Repassa les respostes.",
  refused_identify_first: "Inicia la sessió per escriure-nos.",
  refused_other: "Això no s'ha pogut enviar.",
};

const WORDS = { en, pl, es, ca };

const language = (tag) => tag.slice(0, 2).toLowerCase();

/** As the browser says it: `en-GB` writes times otherwise than `en`. */
export const LOCALE = navigator.languages.find((tag) => language(tag) in WORDS) ?? "en";
export const LANGUAGE = language(LOCALE);

export const knows = (name) => name in en;

export function say(name, values = {}) {
  return WORDS[LANGUAGE][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Puts the words into what stands in the page: data-say is its text, data-say-label its name, data-say-hint its placeholder. */
export function translate(part) {
  for (const one of part.querySelectorAll("[data-say]")) one.textContent = say(one.dataset.say);
  for (const one of part.querySelectorAll("[data-say-label]")) one.ariaLabel = say(one.dataset.sayLabel);
  for (const one of part.querySelectorAll("[data-say-hint]")) one.placeholder = say(one.dataset.sayHint);
}
