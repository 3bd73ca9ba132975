-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE order_lines VALIDATE CONSTRAINT order_lines_quantity;
