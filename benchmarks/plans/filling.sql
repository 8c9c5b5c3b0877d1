-- What the data set leaves out, so that every table that grows has grown: what years of a shop leave behind.
-- `lexemes` (text, lexemes), a temporary table, holds each text and subject as the index would have it.

SET session_replication_role = replica;  -- what is dealt here points to what is there

SET work_mem = '256MB';
SET maintenance_work_mem = '512MB';

-- Of the tickets of a shop that has been open for years few are not settled.
UPDATE ticket SET status = 'closed', solved_at = updated_at WHERE solved_at IS NULL AND created_at < (SELECT max(created_at) FROM ticket) - interval '5 days';
UPDATE thread SET ended_at = solved_at FROM ticket WHERE ticket.id = ticket_id AND solved_at IS NOT NULL AND ended_at IS NULL;
UPDATE clock SET met_at = started_at + interval '1 hour', next_at = NULL, breached_at = NULL
FROM ticket WHERE ticket.id = ticket_id AND solved_at IS NOT NULL AND met_at IS NULL;
INSERT INTO retention (channel_id, originals_days, texts_days) SELECT id, 121, 121 FROM channel;

INSERT INTO search_entry (id, kind, at, lexemes)
SELECT item.id, 'item', item.at, lexemes.lexemes FROM item JOIN lexemes ON lexemes.text = item.text
UNION ALL
SELECT ticket.id, 'ticket', ticket.created_at, lexemes.lexemes FROM ticket JOIN lexemes ON lexemes.text = ticket.subject
UNION ALL
SELECT id, 'contact', created_at, to_tsvector('simple', name) FROM contact;

INSERT INTO measurement (id, ticket_id, kind, at, until, agent_id, channel_id, team_id, wall_seconds, business_seconds, kept)
SELECT gen_random_uuid(), item.ticket_id, CASE item.direction WHEN 'in' THEN 'message_in' ELSE 'message_out' END, item.at,
       NULL::timestamptz, item.agent_id, item.channel_id, ticket.team_id, NULL::int, NULL::int, NULL::bool
FROM item JOIN ticket ON ticket.id = item.ticket_id
UNION ALL
SELECT gen_random_uuid(), id, kind, created_at, until, assignee_id, NULL, team_id, seconds, seconds, kept
FROM ticket, LATERAL (VALUES
    ('opened', NULL::timestamptz, NULL::int, NULL::bool),
    ('first_reply', NULL, 3600, true),
    ('first_reply_promise', NULL, 3600, true),
    ('solved', NULL, extract(epoch FROM solved_at - created_at)::int, true),
    ('in_hand', NULL, extract(epoch FROM solved_at - created_at)::int, NULL),
    ('open', solved_at, NULL, NULL)
) AS of (kind, until, seconds, kept)
WHERE solved_at IS NOT NULL OR kind NOT IN ('solved', 'in_hand');

INSERT INTO arrival (id, channel_id, external_id, raw, envelope, received_at, state)
SELECT id, channel_id, external_id, convert_to(text, 'UTF8'), '{}', at, CASE WHEN place % 2000 = 0 THEN 'failed' ELSE 'placed' END
FROM (SELECT *, row_number() OVER () AS place FROM item WHERE direction = 'in') AS came;
UPDATE item SET arrival_id = id WHERE direction = 'in' AND ticket_id IN (SELECT id FROM ticket ORDER BY created_at DESC LIMIT 40000);

INSERT INTO alert (id, kind, state, level, rung, ticket_id, clock_id, fired_at, resolved_at)
SELECT gen_random_uuid(), 'sla_breached', CASE WHEN breached_at IS NULL THEN 'resolved' ELSE 'firing' END, 1, 1, ticket_id, id,
       due_at, CASE WHEN breached_at IS NULL THEN due_at + interval '1 hour' END
FROM clock WHERE next_at IS NULL
ON CONFLICT DO NOTHING;  -- some were loaded with their alerts
INSERT INTO notice (id, agent_id, kind, alert_id, ticket_id, level, rung, count, state, created_at)
SELECT gen_random_uuid(), agents[1 + abs(hashtext(alert.id::text)) % 12], 'alert', alert.id, ticket_id, 1, 1, 1, 'over', fired_at
FROM alert, (SELECT array_agg(id) AS agents FROM agent) AS all_of_them;
INSERT INTO device (id, agent_id, transport, handle, label, locale, created_at, last_seen_at)
SELECT gen_random_uuid(), id, 'fcm', email, 'phone', 'en', created_at, created_at FROM agent;
INSERT INTO delivery (id, notice_id, device_id, transport, stage, created_at, sent_at, accepted_at)
SELECT gen_random_uuid(), notice.id, device.id, 'fcm', 'accepted', notice.created_at, notice.created_at, notice.created_at
FROM notice JOIN device USING (agent_id);
INSERT INTO system_mail (id, created_at, sent_at, delivery_id)
SELECT gen_random_uuid(), created_at, sent_at, id FROM delivery WHERE abs(hashtext(id::text)) % 4 = 0;

INSERT INTO task (id, title, due_at, assignee_id, ticket_id, contact_id, created_by_id, created_at, updated_at, done_at)
SELECT gen_random_uuid(), 'Call back', created_at + interval '2 days', assignee_id, id, contact_id, assignee_id, created_at,
       updated_at, CASE WHEN number % 2 = 0 OR solved_at IS NOT NULL THEN created_at + interval '1 day' END
FROM ticket WHERE assignee_id IS NOT NULL;
INSERT INTO complaint (id, number, ticket_id, stage, stage_since, opened_at, moved_at, promised_at, stalls_at, closed_at)
SELECT gen_random_uuid(), number, id, CASE WHEN solved_at IS NULL THEN 'investigating' ELSE 'closed' END, created_at, created_at,
       updated_at, created_at + interval '14 days', CASE WHEN solved_at IS NULL THEN updated_at + interval '5 days' END, solved_at
FROM ticket WHERE number % 100 = 0
ON CONFLICT DO NOTHING;
INSERT INTO complaint_step (id, complaint_id, stage, at, note)
SELECT gen_random_uuid(), id, step.stage, step.at, 'noted' FROM complaint, LATERAL (VALUES ('received', opened_at), ('investigating', moved_at)) AS step (stage, at);

INSERT INTO named_number (id, item_id, kind, value)
SELECT gen_random_uuid(), id, 'order', (seq % 100000)::text FROM item WHERE seq % 5 = 0;
INSERT INTO participant (id, thread_id, address, first_seen_at)
SELECT gen_random_uuid(), thread.id, identity.value, joined_at FROM thread JOIN identity ON identity.id = identity_id WHERE key IS NULL;
INSERT INTO acknowledgement (id, ticket_id, item_id, address, domain, at)
SELECT gen_random_uuid(), ticket_id, id, 'customer@mail.example', 'mail.example', at
FROM (SELECT DISTINCT ON (ticket_id) * FROM item ORDER BY ticket_id, at) AS first;
INSERT INTO mention (item_id, agent_id)
SELECT id, agent_id FROM item WHERE agent_id IS NOT NULL AND seq % 10 = 0;
INSERT INTO contact_note (id, contact_id, author, at, text)
SELECT gen_random_uuid(), id, 'Ben', created_at, 'Rings twice.' FROM contact;
INSERT INTO name_lookup (id, identity_id, channel_id)
SELECT gen_random_uuid(), identity.id, channel.id FROM identity JOIN channel ON channel.kind = identity.kind WHERE identity.kind = 'messenger';
INSERT INTO visitor (id, channel_id, key, created_at, wrote_at)
SELECT gen_random_uuid(), channel.id, value, identity.created_at, last_used_at FROM identity JOIN channel ON channel.kind = identity.kind WHERE identity.kind = 'chat';
INSERT INTO scan (id, file, scanned_at) SELECT gen_random_uuid(), file, now() FROM attachment;
INSERT INTO suggestion (id, ticket_id, other_id, code, score, created_at, decided_at)
SELECT gen_random_uuid(), id, lag(id) OVER (ORDER BY created_at, id), 'same_order', 0.5, created_at, solved_at FROM ticket OFFSET 1;
INSERT INTO ticket_link (id, kind, from_id, to_id, at)
SELECT gen_random_uuid(), 'related', id, lag(id) OVER (ORDER BY created_at, id), created_at FROM ticket WHERE number % 10 = 0 OFFSET 1;

INSERT INTO move (id, kind, contact_id, ticket_id, at) SELECT id, 'ticket_merge', contact_id, id, created_at FROM ticket WHERE number % 10 = 0;
INSERT INTO move_step (id, move_id, place, of, row_id, field, before, after)
SELECT gen_random_uuid(), move.id, 0, 'thread', thread.id, 'ticket_id', to_jsonb(move.ticket_id), to_jsonb(move.ticket_id)
FROM move JOIN thread ON thread.ticket_id = move.ticket_id;

INSERT INTO survey (id, kind, scale, again_after_days, sample_percent, updated_at) VALUES (gen_random_uuid(), 'csat', 'thumbs', 30, 100, now());
INSERT INTO survey_request (id, survey_id, event_seq, kind, scale, ticket_id, agent_id, team_id, channel_id, solved_at, asked_at, item_id, score, answered_at)
SELECT gen_random_uuid(), survey.id, item.seq, survey.kind, survey.scale, ticket_id, assignee_id, team_id, item.channel_id, solved_at,
       solved_at, item.id, CASE WHEN ticket.number % 3 = 0 THEN 5 END, CASE WHEN ticket.number % 3 = 0 THEN solved_at END
FROM survey, (SELECT DISTINCT ON (ticket_id) * FROM item ORDER BY ticket_id, seq DESC) AS item JOIN ticket ON ticket.id = item.ticket_id
WHERE solved_at IS NOT NULL AND assignee_id IS NOT NULL;

INSERT INTO edit (id, by_id, at, asked, state, total, finished_at)
SELECT gen_random_uuid(), assignee_id, created_at, '{}', 'done', 10, created_at FROM ticket WHERE number % 50 = 0 AND assignee_id IS NOT NULL;
INSERT INTO edited_ticket (id, edit_id, place, ticket_id, state, changed, kept)
SELECT gen_random_uuid(), edit.id, place, ticket.id, 'done', '{}', '{}'
FROM edit CROSS JOIN generate_series(1, 10) AS place JOIN ticket ON ticket.number = 1 + abs(hashtext(edit.id::text || place)) % 200000;

INSERT INTO webhook (id, url, description, kinds, sealed, created_at, off_at, off_because)
VALUES (gen_random_uuid(), 'https://till.example', 'Till', '[]', '', now(), now(), 'by_hand');
INSERT INTO webhook_post (id, webhook_id, event_seq, kind, payload, state, created_at)
SELECT gen_random_uuid(), webhook.id, item.seq, 'message_received', '{}', 'delivered', item.at FROM webhook, item WHERE direction = 'in';
INSERT INTO webhook_attempt (id, post_id, at, milliseconds, status, answer) SELECT gen_random_uuid(), id, created_at, 50, 200, '' FROM webhook_post;
INSERT INTO audit_entry (at, kind, actor_kind, actor_id, contact_id, data, position, hash)
SELECT at, 'contact_read', 'agent', agent_id, contact_id, '{}', row_number() OVER (ORDER BY seq), sha256(convert_to(id::text, 'UTF8')) FROM item WHERE agent_id IS NOT NULL;
INSERT INTO done (actor_id, client_mutation_id, input_hash, at)
SELECT agent_id, id, sha256(convert_to(id::text, 'UTF8')), now() - interval '20 hours' * random() FROM item WHERE agent_id IS NOT NULL LIMIT 100000;
INSERT INTO sign_in (id, agent_id, kind, token_hash, created_at, seen_at, expires_at, ended_at)
SELECT gen_random_uuid(), agent.id, 'web', sha256(convert_to(agent.id::text || day, 'UTF8')), day, day, day + interval '1 day', day + interval '1 day'
FROM agent, generate_series(now() - interval '3 years', now() - interval '1 day', '1 day') AS day;
