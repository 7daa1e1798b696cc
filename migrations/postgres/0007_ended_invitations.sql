-- Invitations that came to nothing are removed some time after their end.
CREATE INDEX ws_invitations_ended_idx ON ws_invitations (expires_at) WHERE status <> 'accepted';
