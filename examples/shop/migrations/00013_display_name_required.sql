-- +goose Up
ALTER TABLE accounts ALTER COLUMN display_name SET NOT NULL;

-- +goose Down
ALTER TABLE accounts ALTER COLUMN display_name DROP NOT NULL;
