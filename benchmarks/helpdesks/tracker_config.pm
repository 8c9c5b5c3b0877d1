# Request Tracker as the benchmark runs it, in place of what /etc says: the database is that of libpq's own variables, and all
# that it writes lies in TRACKER_FOLDER.

Set($rtname, 'benchmark');
Set($WebDomain, '127.0.0.1');
Set($WebPort, $ENV{TRACKER_PORT});

Set($DatabaseType, 'Pg');
Set($DatabaseHost, $ENV{PGHOST});
Set($DatabasePort, $ENV{PGPORT});
Set($DatabaseName, $ENV{PGDATABASE});
Set($DatabaseUser, $ENV{PGUSER});
Set($DatabasePassword, $ENV{PGPASSWORD});

Set($ShowHistory, 'always');    # the messages come with the page of the ticket, not by a second request
Set($MailCommand, 'testfile');  # nothing leaves
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'error');

$RT::VarPath = $ENV{TRACKER_FOLDER};
$RT::MasonDataDir = "$ENV{TRACKER_FOLDER}/mason";

1;
