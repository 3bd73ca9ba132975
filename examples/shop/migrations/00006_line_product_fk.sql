-- +goose Up
ALTER TABLE order_lines
    ADD CONSTRAINT order_lines_product_fk FOREIGN KEY (product_id) REFERENCES products (id);

-- +goose Down
ALTER TABLE order_lines DROP CONSTRAINT order_lines_product_fk;
