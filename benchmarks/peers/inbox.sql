-- $1: tickets on the page
with page as materialized (
    select * from ticket where merged_into_id is null order by updated_at desc, id desc limit $1 + 1
), shown as (
    select * from page order by updated_at desc, id desc limit $1
), nodes as (
    select t.updated_at, t.id, json_build_object('node', json_build_object(
        'id', translate(encode(convert_to('Ticket:' || t.id, 'UTF8'), 'base64'), E'+/=\n', '-_'),
        'number', t.number,
        'subject', t.subject,
        'status', upper(t.status),
        'priority', t.priority,
        'tags', t.tags,
        'updatedAt', t.updated_at,
        'preview', coalesce((
            select btrim(translate(left(i.text, 140), E'\n', ' ')) from item i
            where i.ticket_id = t.id and i.text <> '' order by i.at desc, i.seq desc limit 1
        ), ''),
        'channels', (
            select coalesce(json_agg(upper(used.kind) order by used.at desc), '[]') from (
                select c.kind, max(coalesce(h.last_inbound_at, h.joined_at)) as at
                from thread h join channel c on c.id = h.channel_id where h.ticket_id = t.id group by c.kind
            ) used
        ),
        'seq', coalesce((select max(i.seq) from item i where i.ticket_id = t.id), 0),
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
        )
    )) as node
    from shown t
)
select convert_to(json_build_object('data', json_build_object('tickets', json_build_object(
    'edges', (select coalesce(json_agg(node order by updated_at desc, id desc), '[]') from nodes),
    'pageInfo', json_build_object(
        'endCursor', (
            select translate(encode(convert_to(
                'updated.' || (extract(epoch from updated_at) * 1000000)::bigint || '.' || replace(id::text, '-', ''), 'UTF8'
            ), 'base64'), E'+/\n', '-_')
            from shown order by updated_at, id limit 1
        ),
        'hasNextPage', (select count(*) > $1 from page)
    )
)))::text, 'UTF8')
