-- +goose Up
ALTER TABLE accounts ADD COLUMN public_id uuid NOT NULL DEFAULT gen_random_uuid();

-- +goose Down
ALTER TABLE accounts DROP COLUMN public_id;
