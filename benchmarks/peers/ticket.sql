-- $1: the ticket's public id, $2: things on the page, $3: kinds of events that are told, $4: their sentences.
-- The data set holds neither calls nor notes.
with asked as (
    select coalesce(t.merged_into_id, t.id) as id from ticket t
    where t.id = split_part(convert_from(decode(translate($1, '-_', '+/')
        || repeat('=', (4 - length($1) % 4) % 4), 'base64'), 'UTF8'), ':', 2)::uuid
), written as (
    select i.at, i.seq, json_build_object(
        '__typename', 'Message',
        'id', translate(encode(convert_to('Message:' || i.id, 'UTF8'), 'base64'), E'+/=\n', '-_'),
        'seq', i.seq, 'channel', upper(c.kind), 'direction', upper(i.direction),
        'author', coalesce(nullif(a.name, ''), i.author), 'at', i.at, 'text', i.text,
        'automatic', coalesce(i.automatic, false), 'senderVerified', coalesce(i.sender_verified, false),
        'delivery', upper(i.delivery), 'attachments', (
            select coalesce(json_agg(json_build_object(
                'name', f.name, 'mime', f.mime, 'bytes', f.bytes
            ) order by f.id), '[]') from attachment f where f.item_id = i.id
        )
    ) as node
    from item i left join agent a on a.id = i.agent_id left join channel c on c.id = i.channel_id
    where i.ticket_id = (select id from asked)
    order by i.at desc, i.seq desc limit $2 + 1
), told as (
    select e.at, e.seq, json_build_object(
        '__typename', 'SystemEvent',
        'id', translate(encode(convert_to('SystemEvent:' || e.seq, 'UTF8'), 'base64'), E'+/=\n', '-_'),
        'at', e.at, 'text', case
            when e.kind = 'thread_joined' then $4::jsonb ->> (e.data ->> 'code')
            when e.kind <> 'ticket_assigned' then $4::jsonb ->> e.kind
            when a.id = (e.data ->> 'to')::uuid then a.name || ' took the ticket.'
            else a.name || ' gave the ticket to ' || b.name || '.' end
    ) as node
    from event e left join agent a on a.id = e.actor_id left join agent b on b.id = (e.data ->> 'to')::uuid
    where e.ticket_id = (select id from asked) and e.kind = any($3::text[])
    order by e.at desc, e.seq desc limit $2 + 1
), page as materialized (
    select * from written union all select * from told order by at desc, seq desc limit $2 + 1
), shown as (
    select * from page order by at desc, seq desc limit $2
)
select convert_to(json_build_object('data', json_build_object('ticket', (
    select json_build_object(
        'id', $1, 'number', t.number, 'subject', t.subject, 'status', upper(t.status), 'priority', t.priority,
        'tags', t.tags, 'updatedAt', t.updated_at,
        'contact', (
            select json_build_object('name', p.name, 'identities', (
                select coalesce(json_agg(json_build_object(
                    'label', d.label, 'verified', d.verified_at is not null
                ) order by d.created_at), '[]')
                from identity d where d.contact_id = p.id and d.kind in ('email', 'phone', 'messenger', 'chat')
            ))
            from contact asked join contact p on p.id = coalesce(asked.canonical_id, asked.id)
            where asked.id = t.contact_id
        ),
        'assignee', (select json_build_object('name', a.name) from agent a where a.id = t.assignee_id),
        'clock', (
            select json_build_object('state', case
                when k.met_at is not null then 'MET' when now() >= k.due_at then 'BREACHED'
                when now() >= k.warn_at[1] then 'AT_RISK' else 'OK' end, 'dueAt', k.due_at)
            from clock k where k.ticket_id = t.id and k.ended_at is null
            order by k.met_at is not null, k.due_at limit 1
        ),
        'timeline', json_build_object(
            'edges', (
                select coalesce(json_agg(json_build_object('node', node) order by at desc, seq desc), '[]') from shown
            ),
            'pageInfo', json_build_object(
                'endCursor', (
                    select translate(encode(convert_to(
                        (extract(epoch from at) * 1000000)::bigint || '.' || seq, 'UTF8'
                    ), 'base64'), E'+/=\n', '-_') from shown order by at, seq limit 1
                ),
                'hasNextPage', (select count(*) > $2 from page)
            )
        )
    ) from ticket t where t.id = (select id from asked)
)))::text, 'UTF8')
