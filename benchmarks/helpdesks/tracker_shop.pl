# Request Tracker with tickets of the same size as ours. `tracker_config.pm` says where its database is.
#
# `perl tracker_shop.pl TICKETS LONG` writes so many tickets with five messages and one with LONG, and prints the session of who
# is signed in and that ticket's id. By its own API, Request Tracker takes seconds for a few of them: so it writes FEW, each of a
# customer of its own, and the rest are copies of their rows.

use strict;
use warnings;
use JSON;
use MIME::Entity;
use RT -init;
use RT::Interface::Web::Session;

use constant FEW => 50;
use constant MESSAGES => 5;
use constant STATUSES => qw(new open resolved);

my $TEXT = 'When will my parcel come? It has been ten days, and the courier does not answer. ' x 3;

# Tables whose rows a ticket has, and their columns that hold an id, by the table that gave it. Groups are principals, and share
# their ids; who is in them may be a user, which was there before and is not copied.
my @ROWS = (
    [ principals => 'true', { id => 'principals' } ],
    [ groups => 'true', { id => 'principals', instance => 'tickets' } ],
    [ groupmembers => 'true', { id => 'groupmembers', groupid => 'principals', memberid => 'principals' } ],
    [
        cachedgroupmembers => 'true',
        {
            id => 'cachedgroupmembers', via => 'cachedgroupmembers', groupid => 'principals',
            immediateparentid => 'principals', memberid => 'principals',
        }
    ],
    [ tickets => 'true', { id => 'tickets', effectiveid => 'tickets' } ],
    [ transactions => q{objecttype = 'RT::Ticket'}, { id => 'transactions', objectid => 'tickets' } ],
    [ transactions => q{objecttype = 'RT::Group'}, { id => 'transactions', objectid => 'principals' } ],
    [ attachments => 'true', { id => 'attachments', transactionid => 'transactions', parent => 'attachments' } ],
);

sub fill {
    my ($tickets, $long) = @_;
    die 'so many tickets cannot be copies of ' . FEW . "\n" if $tickets % FEW;
    let_no_mail_be_written();
    my $mia = made('RT::User', Name => 'mia', EmailAddress => 'mia@shop.example', Privileged => 1);
    held($mia->PrincipalObj->GrantRight(Right => 'SuperUser', Object => RT->System));
    my $queue = made('RT::Queue', Name => 'Shop');
    let_customers_reply($queue);
    my @customers = map { made('RT::User', Name => "customer$_\@mail.example", EmailAddress => "customer$_\@mail.example") } 1 .. FEW;

    my %before = last_ids();
    open_ticket($queue, $mia, $_, $customers[$_]) for 0 .. FEW - 1;
    copy($tickets / FEW - 1, %before);

    my $last = { last_ids() }->{tickets};
    talk($last, $mia, $customers[-1], MESSAGES + 1 .. $long);
    return { session => session_of($mia), long => $last, version => $RT::VERSION };
}

sub let_no_mail_be_written {
    my $scrips = RT::Scrips->new(RT->SystemUser);
    $scrips->UnLimit;
    while (my $scrip = $scrips->Next) { held($scrip->SetDisabled(1)) }
}

sub let_customers_reply {
    my ($queue) = @_;
    my $everyone = RT::Group->new(RT->SystemUser);
    $everyone->LoadSystemInternalGroup('Everyone');
    held($everyone->PrincipalObj->GrantRight(Right => $_, Object => $queue)) for qw(ReplyToTicket ShowTicket);
}

sub open_ticket {
    my ($queue, $mia, $place, $customer) = @_;
    my $ticket = made(
        'RT::Ticket', Queue => $queue->id, Subject => "Order $place", Owner => $mia->id,
        Requestor => $customer->EmailAddress, Status => (STATUSES)[ $place % STATUSES ], MIMEObj => words(),
    );
    talk($ticket->id, $mia, $customer, 2 .. MESSAGES);
}

sub talk {
    my ($id, $mia, $customer, @places) = @_;
    for my $place (@places) {
        my $ticket = RT::Ticket->new(RT::CurrentUser->new($place % 2 ? $customer : $mia));
        $ticket->Load($id);
        held($ticket->Correspond(MIMEObj => words()));
    }
}

sub words { return MIME::Entity->build(Type => 'text/plain; charset=utf-8', Data => [$TEXT]) }

# So many times all that has come since, each time with ids that follow the ones before.
sub copy {
    my ($times, %before) = @_;
    my $database = $RT::Handle->dbh;
    my %after = last_ids();
    my %size = map { $_ => $after{$_} - $before{$_} } keys %after;
    for (@ROWS) {
        my ($table, $which, $ids) = @$_;
        my @columns = keys %{ $database->selectrow_hashref("SELECT * FROM $table LIMIT 1") };
        my @values = map {
            my $of = $ids->{$_};
            $of ? "CASE WHEN $_ > $before{$of} THEN $_ + turn * $size{$of} ELSE $_ END" : $_
        } @columns;
        local $" = ', ';
        $database->do(
            "INSERT INTO $table (@columns) SELECT @values FROM $table, generate_series(1, $times) AS turn"
            . " WHERE $which AND id > $before{ $ids->{id} }"
        );
    }
    $database->do("SELECT setval('${_}_id_seq', (SELECT max(id) FROM $_))") for keys %size;
    $database->do("UPDATE tickets SET subject = 'Order ' || id - $before{tickets} - 1");
    $database->do('ANALYZE');
}

sub last_ids {
    return map { $_ => $RT::Handle->dbh->selectrow_array("SELECT coalesce(max(id), 0) FROM $_") }
        qw(principals groupmembers cachedgroupmembers tickets transactions attachments);
}

sub session_of {
    my ($user) = @_;
    tie my %session, 'RT::Interface::Web::Session', undef;
    $session{CurrentUser} = RT::CurrentUser->new($user);
    return $session{_session_id};
}

sub made {
    my ($kind, %given) = @_;
    my $row = $kind->new(RT->SystemUser);
    held($row->Create(%given));
    return $row;
}

# Its API answers with a status and, last, a message.
sub held { die "$_[-1]\n" unless $_[0] }

print encode_json(fill(@ARGV)), "\n";
