"""Mail, from the door to the outbox. As in each channel's folder, `webhook.py` takes what is posted and `payloads.py` says what it means.

receiving    by SMTP and LMTP, and fetched by IMAP
reading      bytes in, a value out, in processes of their own
folding      what of a mail its writer says, without what they quote
machines     what machines write: bounces, automatic answers
sending      our answers, and Heddle's own mail
"""
